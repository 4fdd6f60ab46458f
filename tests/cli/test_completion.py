"""The completion scripts: as generated, and as shells read them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mesabox.cli._shells import FILES, SHELLS
from mesabox.cli._vocabulary import places

FOLDER = Path(__file__).parents[2] / "completions"


@pytest.mark.parametrize("shell", list(SHELLS))
def test_the_files_are_what_the_commands_say_now(shell):
    assert (FOLDER / FILES[shell]).read_text() == SHELLS[shell](places()), f"mesabox completion {shell} > the file"


def test_every_command_is_in_every_script():
    for shell in SHELLS:
        text = (FOLDER / FILES[shell]).read_text()
        assert all(place.path in text for place in places())


BASH = """
source {script}
COMP_WORDS=({words} "{last}"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _mesabox; printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "last", "offered"),
    [
        ("mesabox", "spr", ["sprite"]),
        ("mesabox sprite", "", ["checkpoint", "destroy", "list", "show", "up", "--help"]),
        ("mesabox sprite show", "b", ["builder"]),
        ("mesabox key mint --scope", "", ["read", "write", "admin"]),
        ("mesabox mount builder --repo", "", ["notes"]),
        ("mesabox --engine", "l", ["local"]),
        ("mesabox completion", "", ["bash", "zsh", "fish", "powershell"]),
        ("mesabox go -- make", "", []),
    ],
)
def test_bash_offers_words_and_names_without_python(tmp_path, words, last, offered):
    (tmp_path / "cache/names").mkdir(parents=True)
    (tmp_path / "cache/names/sprites").write_text("builder\n")
    (tmp_path / "cache/names/repos").write_text("notes\n")
    script = BASH.format(script=FOLDER / FILES["bash"], words=words, last=last)
    environ = {"MESABOX_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=True)
    found = done.stdout.split()
    assert [word for word in found if word in offered] == offered
    assert found == offered or words.split()[-1] in ("completion", "show")


@pytest.mark.parametrize(("shell", "check"), [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")])
def test_the_shell_can_read_it(shell, check):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, check, FOLDER / FILES[shell]], check=True)
