"""Each shell that a sprite may have."""

import shutil
import subprocess

import pytest

SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]


@pytest.fixture(params=SHELLS)
def shells(request, tmp_path, monkeypatch):
    """Where ``sh`` is that shell, and with busybox all else is its own, too: no git, and another find."""
    folder = tmp_path / "bin"
    folder.mkdir()
    applets = ["sh"]
    if request.param == "busybox":
        applets = subprocess.run(["busybox", "--list"], capture_output=True, text=True).stdout.split()
    for name in applets:
        (folder / name).symlink_to(shutil.which(request.param))
    monkeypatch.setenv("PATH", f"{folder}:{'' if len(applets) > 1 else '/usr/bin:/bin'}")
    return request.param
