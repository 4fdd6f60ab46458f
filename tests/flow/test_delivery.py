"""Secrets on their way: by stdin alone, next to the command, and gone again after a failure."""

import subprocess
from dataclasses import replace

import pytest

from mesabox.clients.base import Secret
from mesabox.errors import Failed, NotFound, Unsupported
from mesabox.flow.running.command import Command
from mesabox.flow.running.secrets import delivered, new_file
from tests.flow.here import Here, HereExecution

VALUES = {"A": Secret("it's\n$x `y` \\"), "B": Secret("second-value")}


class Sandboxes(Here):
    """Runs what it is given here, or answers with an exit code."""

    def __init__(self, home, answer=None):
        super().__init__(home)
        self.answer = answer

    def execute(self, sprite, request, *, tail=0.0):
        if self.answer is not None:
            self.inputs.append(bytearray())
            said = f"echo '{request.argv[3]}'; echo '{request.argv[3]}{self.answer}'"
            self.ran.append(request.argv)
            return HereExecution(self, replace(request, argv=("sh", "-c", said)), None)
        return super().execute(sprite, request)


async def test_a_real_shell_takes_and_gives_them(tmp_path):
    sandboxes, file = Sandboxes(tmp_path), new_file()
    command = Command(("sh", "-c", 'printf "%s|%s|%s" "$A" "$B" "$1"', "sh", "a b"), secrets=VALUES, secrets_file=file)
    async with delivered(sandboxes, "s", file, VALUES):
        assert subprocess.run(["stat", "-c", "%a", file], capture_output=True).stdout == b"600\n"
        done = subprocess.run(command.words(), capture_output=True)
        assert done.stdout.decode() == "it's\n$x `y` \\|second-value|a b"
        again = subprocess.run(command.words(), capture_output=True)
        assert (again.returncode, again.stdout) == (125, b"") and b"not there" in again.stderr
    words = [word for argv in sandboxes.ran for word in argv]
    assert not any(secret.reveal() in word for secret in VALUES.values() for word in words)


@pytest.mark.parametrize(("code", "kind"), [(76, Unsupported), (1, Failed)])
async def test_where_they_cannot_be_put_nothing_runs(tmp_path, code, kind):
    with pytest.raises(kind):
        async with delivered(Sandboxes(tmp_path, code), "s", new_file(), VALUES):
            raise AssertionError("not reached")


async def test_a_failure_inside_removes_them(tmp_path):
    sandboxes, file = Sandboxes(tmp_path, 0), new_file()
    with pytest.raises(NotFound):
        async with delivered(sandboxes, "s", file, VALUES):
            raise NotFound("the sprite has gone")
    assert sandboxes.ran[-1][4:] == ("rm", "-f", "--", file)


async def test_without_secrets_nobody_is_asked(tmp_path):
    sandboxes = Sandboxes(tmp_path)
    async with delivered(sandboxes, "s", new_file(), {}):
        pass
    assert sandboxes.ran == []


def test_the_wrappers_stand_in_order():
    command = Command(("make",), workdir="src", timeout=60, secrets=VALUES).in_mount("my-org", "r")
    words = command.request().argv
    assert words[:2] == ("sh", "-c") and words[3:7] == ("my-org/r/src", "my-org/r", "sh", "-c")
    assert words[8:11] == ("mesabox", "0", "60")
    assert words[11:13] == ("sh", "-c") and words[14:] == (command.secrets_file, "make")
    assert command.request().dir is None
