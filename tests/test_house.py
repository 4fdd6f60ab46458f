"""The house rules, run as tests: format, lint, types, rooms; and what start-up may import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "mesabox").rglob("*.py"))

LONGEST_FILE = 350
LONGEST_FUNCTION = 40


def ran(*words):
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint():
    ran("ruff", "check", ".")


def test_format():
    ran("ruff", "format", "--check", ".")


def test_types():
    ran("mypy")


def test_rooms_import_downwards_only():
    script = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_and_functions_are_short():
    for path in SOURCES:
        text = path.read_text()
        assert text.count("\n") <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"


def test_every_module_says_what_it_is_for():
    for path in SOURCES:
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        assert docstring, path


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--version"], {"typer", "rich", "httpx", "pydantic", "asyncio", "typing", "dataclasses"}),
        (["--help"], {"rich", "httpx", "pydantic", "asyncio", "websockets", "mesabox.switchboard", "mesabox.cli.go"}),
        (["repo", "--help"], {"rich", "httpx", "asyncio", "websockets", "mesabox.cli.repo.list"}),
    ],
)
def test_start_up_imports_only_what_it_needs(words, heavy):
    script = f"import sys; from mesabox.app import main; main({words!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-S", "-c", SITE + script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not heavy & set(done.stderr.split())


SITE = f"import sys; sys.path[:0] = {[str(ROOT), *(p for p in sys.path if 'site-packages' in p)]!r}; "
"""Without ``site``: what a ``.pth`` file of the environment imports is not ours."""
