"""Credentials that are kept, and those on a command line, which are refused."""

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from mesabox.cli._tree import read

SECRET = "sekrit-token-0123"


@pytest.fixture(autouse=True)
def no_keyring():
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    yield
    keyring.set_keyring(before)


def test_login_status_logout(mesabox, home):
    assert mesabox("auth", "status", "--json").envelope["data"] == {"credentials": [], "engine": "local"}
    done = mesabox("auth", "login", "--with-token", "sprites", stdin=f"{SECRET}\n".encode())
    assert done.code == 0 and "0600" in done.err and SECRET not in done.out + done.err
    assert SECRET in (home / "credentials.json").read_text()
    found = mesabox("auth", "status", "--json").envelope["data"]
    (sprites,) = found["credentials"]
    assert (sprites["service"], sprites["source"], sprites["used"], found["engine"]) == ("sprites", "file", True, None)
    assert mesabox("auth", "logout", "--json").envelope["data"] == {"forgotten": ["sprites"]}
    assert SECRET not in (home / "credentials.json").read_text()
    assert mesabox("auth", "logout", "sprites").code == 0


def test_the_environment_shadows_what_is_kept(mesabox, monkeypatch):
    mesabox("auth", "login", "sprites", "--with-token", stdin=SECRET.encode())
    monkeypatch.setenv("SPRITES_TOKEN", "other-token")
    found = mesabox("auth", "status", "--json").envelope["data"]["credentials"]
    assert [(fact["source"], fact["used"]) for fact in found] == [("environment", True), ("file", False)]
    shown = mesabox("auth", "status")
    assert SECRET not in shown.out + shown.err and "other-token" not in shown.out + shown.err
    assert "SPRITES_TOKEN is still set" in mesabox("auth", "logout").err


def test_nobody_can_be_asked(mesabox):
    answer = mesabox("auth", "login", "mesa", "--json")
    assert answer.code == 2 and "--with-token" in answer.envelope["error"]["fix"]


def test_it_is_typed_unseen_on_a_terminal(mesabox, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda question: SECRET)
    assert mesabox("auth", "login", "sprites", terminal=True).code == 0
    assert mesabox("auth", "status", "-q").out == "sprites\n"


@pytest.mark.parametrize(
    "words",
    [
        ["repo", "list", "--token", SECRET],
        ["repo", "list", f"--token={SECRET}"],
        ["--token", SECRET, "repo", "list"],
        [f"--token={SECRET}", "go", "--", "true"],
        ["go", "--token", SECRET, "--", "true"],
        ["run", "builder", f"--token={SECRET}", "--", "true"],
        ["auth", "login", "mesa", "--token", SECRET],
        ["key", "mint", "--api-key", SECRET],
    ],
)
@pytest.mark.parametrize("form", [[], ["--debug"]])
def test_a_credential_on_the_command_line_is_refused_and_not_repeated(mesabox, words, form):
    answer = mesabox(*form, *words)
    assert answer.code == 2 and "command line" in answer.err and "auth login" in answer.err
    assert SECRET not in answer.out + answer.err


@pytest.mark.parametrize("words", [[SECRET], ["mesa", SECRET], ["mesa", f"--with-token={SECRET}"], [f"--{SECRET}"]])
def test_login_never_repeats_its_words(mesabox, words):
    answer = mesabox("auth", "login", *words)
    assert answer.code == 2 and SECRET not in answer.out + answer.err


@pytest.mark.parametrize("between", [[], ["--"]])
def test_another_programs_token_is_its_own(between):
    call = read(["run", "builder", *between, "gh", "--token", "x"])
    assert call.values["argv"] == ["gh", "--token", "x"]


def test_a_bug_tells_no_secret(mesabox, monkeypatch, home):
    def failing(*_):
        raise RuntimeError(f"with {SECRET}")

    monkeypatch.setattr("mesabox.config.stored.Stored.keep", failing)
    answer = mesabox("auth", "login", "sprites", "--with-token", "--debug", stdin=SECRET.encode())
    (log,) = (home / "state").glob("crash-*.log")
    assert answer.code == 70 and "***" in log.read_text() and "***" in answer.err
    assert SECRET not in answer.err + log.read_text()
