"""Where the value of a ``--secret`` may come from, and that no refusal shows one."""

import io

import pytest

from mesabox.config.secrets import given_secrets
from mesabox.errors import UsageProblem


def test_the_three_sources(tmp_path):
    (tmp_path / "f").write_bytes(b"two\nlines\n\n")
    given = ["A", f"B=@{tmp_path}/f", "C=-"]
    assert given_secrets(given, io.BytesIO(b"piped\r\n"), {"A": "a\n"}) == {
        "A": "a\n",
        "B": "two\nlines\n",
        "C": "piped",
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["A=sekrit"], "command line"),
        (["A="], "command line"),
        (["A"], "not set"),
        (["1A=sekrit"], "name"),
        (["=sekrit"], "name"),
        (["A=@/no/such/file"], "cannot be read"),
        (["NUL"], "NUL"),
        (["EMPTY"], "empty"),
        (["LONG"], "too long"),
        (["A=-", "B=-"], "one secret"),
    ],
)
def test_what_is_refused(given, told):
    with pytest.raises(UsageProblem) as caught:
        given_secrets(given, io.BytesIO(b"x"), {"NUL": "sek\0rit", "EMPTY": "", "LONG": "sek" * 50_000})
    error = caught.value
    assert told in error.what + error.why
    assert "sek" not in error.what + error.why + error.fix


def test_a_terminal_is_no_place_to_type_one():
    with pytest.raises(UsageProblem) as caught:
        given_secrets(["A=-"], None, {})
    assert "terminal" in caught.value.what
