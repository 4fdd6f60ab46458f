"""What the flags mean."""

import pytest

from mesabox.errors import UsageProblem
from mesabox.flow.plan import Plan, environment_of, limit_of
from mesabox.flow.running.command import Command


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("1h30m", 5400), ("90", 90), ("none", None)])
def test_time_limits(text, seconds):
    assert limit_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "1d", "inf", "nan"])
def test_bad_time_limits_are_named(text):
    with pytest.raises(UsageProblem) as raised:
        limit_of(text)
    assert repr(text)[1:-1] in raised.value.what


def test_environment_takes_values_and_passes_names_on():
    assert environment_of(["A=1=2", "B", "C="], {"B": "b"}) == {"A": "1=2", "B": "b", "C": ""}


@pytest.mark.parametrize("given", ["1A=x", "A B=x", "=x", "MISSING"])
def test_environment_refuses_what_cannot_be(given):
    with pytest.raises(UsageProblem):
        environment_of([given], {})


@pytest.mark.parametrize(("timeout", "lifetime"), [(None, 86400), (3600, 3900), (10, 310), (0.5, 300.5)])
def test_the_key_outlives_the_command(timeout, lifetime):
    assert Plan(Command(("true",), timeout=timeout)).key_lifetime == lifetime


def test_the_limit_is_kept_inside_the_sprite():
    request = Command(("make", "test"), folder="/mnt/r", workdir="sub", timeout=60.5, size=(30, 90)).request()
    assert request.argv[3:] == ("mesabox", "0.5", "60", "make", "test")
    assert (request.dir, request.tty, request.rows, request.cols, request.stdin) == ("/mnt/r/sub", True, 30, 90, True)


def test_a_command_in_a_mount_finds_the_folder_there():
    request = Command(("ls",), workdir="src").in_mount("my-org", "r").request()
    assert request.argv[3:] == ("my-org/r/src", "my-org/r", "ls")
    assert request.dir is None
