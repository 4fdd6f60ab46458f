"""``play``: a story at a tier, in a process of its own, as root or as an ordinary user as the tier wants it."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from mesabox.engine.sandbox import trial

ROOT = Path(__file__).parents[3]
STAGE = Path(__file__).with_name("stage.py").relative_to(ROOT)
Play = Callable[[str, str, str], None]


@pytest.fixture(scope="session")
def stage_home() -> Iterator[Path]:
    """Short, and readable for whom the stories are played as."""
    home = Path(tempfile.mkdtemp(prefix="mesabox-stage-"))
    home.chmod(0o711)
    for part in ("mesabox", "tests/engine/sandbox"):  # the checkout itself may lie where only we can read
        shutil.copytree(ROOT / part, home / "checkout" / part, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", str(home / "checkout")], check=True)
    yield home
    subprocess.run(["rm", "-rf", str(home)], check=False, stderr=subprocess.DEVNULL)
    if home.exists():  # files of sub-ids can only be removed from inside their namespace
        enter = "from mesabox.engine.sandbox import namespaces; namespaces.enter('subids')"
        script = f"{enter}\nimport shutil; shutil.rmtree({str(home)!r})"
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.fixture
def play(stage_home: Path) -> Play:
    def play_it(file: str, story: str, tier: str) -> None:
        as_root, python = _actor(tier)
        home, checkout = stage_home / tier, stage_home / "checkout"
        home.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=home))
        user = None if as_root or os.getuid() != 0 else pwd.getpwnam("nobody")
        if user is not None:
            for folder in (home, scratch):
                os.chown(folder, user.pw_uid, user.pw_gid)
        done = subprocess.run(
            [python, str(checkout / STAGE), str(checkout / Path(file).relative_to(ROOT)), story, tier, str(scratch)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
            env={"PATH": os.environ["PATH"]},
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        assert done.returncode == 0, f"{story} at {tier}:\n{done.stdout}{done.stderr}"

    return play_it


def _actor(tier: str) -> tuple[bool, str]:
    """(as root, interpreter); skips what cannot be played here."""
    if tier == "root":
        if os.getuid() != 0 or not _works("root"):
            pytest.skip("needs root with CAP_SYS_ADMIN")
        return True, sys.executable
    if os.getuid() != 0:
        if not _works(tier):
            pytest.skip(f"tier {tier} does not work here")
        return False, sys.executable
    python = shutil.which("python3", path="/usr/bin")
    if tier == "subids" or python is None or not _recent(python):
        pytest.skip("root plays this as nobody, with a /usr/bin/python3 of 3.11 and no sub-ids")
    return False, python


@cache
def _works(tier: str) -> bool:
    if tier == "none":
        return True
    with tempfile.TemporaryDirectory() as folder:
        checks = trial.attempt("single" if tier == "noproc" else tier, Path(folder))  # type: ignore[arg-type]
    return all(check.ok or (tier == "noproc" and check.name == "proc") for check in checks)


def _recent(python: str) -> bool:
    asked = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", asked], check=False).returncode == 0
