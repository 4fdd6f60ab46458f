"""The same flow in other ways: as the cloud's client, with a signing key, and without isolation."""

import json

import pytest

from tests.conftest import Terminal, environment_of

SCRIPT = ("sh", "-c", "echo hello > made; echo out")


def went_well(mesabox, repo, done, env=None):
    told = json.loads(done.stdout)
    assert (told["status"], told["exit_code"], told["data"]["stdout"]) == ("ok", 0, "out\n"), told
    assert [file["path"] for file in told["data"]["changes"]["files"]] == ["made"]
    assert {one["kind"] for one in told["data"]["removed"]} >= {"sprite"}
    assert mesabox("repo", "cat", repo, "made", env=env).stdout == b"hello\n"


def test_the_clouds_code_against_the_engine(mesabox, engine_env):
    cloud = {name: value for name, value in engine_env.items() if name != "MESA_PRIVATE_KEY"}
    done = mesabox("--json", "--engine", "cloud", "go", "--repo", "as-cloud", "--", *SCRIPT, env=cloud)
    went_well(mesabox, "as-cloud", done, cloud)
    assert b"engine: cloud" in mesabox("go", "--repo", "as-cloud", "--", "true", env=cloud).stderr


def test_a_private_key_signs_what_cannot_be_minted(mesabox, engine_env):
    signing = {name: value for name, value in engine_env.items() if name != "MESA_API_KEY"}
    done = mesabox("--json", "go", "--repo", "signed", "--", *SCRIPT, env=signing)
    went_well(mesabox, "signed", done, signing)


@pytest.mark.parametrize("missing", ["SPRITES_TOKEN", "MESA_API_KEY"])
def test_half_of_the_credentials_is_an_error_that_names_the_other(mesabox, engine_env, missing):
    half = {k: v for k, v in engine_env.items() if k not in (missing, "MESA_PRIVATE_KEY")}
    told = json.loads(mesabox("--json", "repo", "list", env=half, ok=False).stdout)
    assert told["exit_code"] == 4 and missing in json.dumps(told["error"])
    assert mesabox("go", "--", "true", env=half, ok=False).returncode == 125


@pytest.fixture(scope="module")
def unwalled(tmp_path_factory):
    """An engine of its own that was asked to go without isolation."""
    home = tmp_path_factory.mktemp("unwalled")
    mesabox = Terminal(home, environment_of(home))
    yield mesabox
    mesabox("engine", "stop")
    mesabox("engine", "reset", "--yes")


def test_without_isolation_the_whole_flow_works_and_says_so(unwalled):
    words = (
        "go",
        "--isolation",
        "none",
        "--repo",
        "bare",
        "--",
        "sh",
        "-c",
        "echo one > made; mkdir d; echo two > d/e",
    )
    first = unwalled(*words)
    assert b"WITHOUT ISOLATION" in first.stderr.splitlines()[0] and b"A made" in first.stderr
    assert unwalled("repo", "cat", "bare", "d/e").stdout == b"two\n"
    second = unwalled(
        "go", "--isolation", "none", "--repo", "bare", "--", "sh", "-c", "cat made; rm -r d; exit 5", ok=False
    )
    assert (second.returncode, second.stdout) == (5, b"one\n") and b"D d/e" in second.stderr
    assert unwalled("-q", "sprite", "list").stdout == b""


def test_going_without_isolation_must_be_asked_for(unwalled):
    unwalled("go", "--isolation", "none", "--repo", "bare", "--", "true")
    refused = unwalled("--json", "go", "--repo", "bare", "--", "true", ok=False)
    assert refused.returncode == 125 and json.loads(refused.stdout)["error"]["code"] == "not_isolated"
