"""Which engine the credentials lead to."""

import io

import pytest

from mesabox.config.credentials import choose_engine, credentials_of, given_mount_key
from mesabox.errors import CredentialsProblem, UsageProblem

MESA, SIGNING, SPRITES, OLD = "MESA_API_KEY", "MESA_PRIVATE_KEY", "SPRITES_TOKEN", "SPRITE_TOKEN"


def choose(wanted, *names):
    return choose_engine(wanted, "--engine", credentials_of({name: f"sekrit-{name}" for name in names}))


@pytest.mark.parametrize(
    ("wanted", "names", "chosen"),
    [
        ("auto", (), "local"),
        ("auto", (MESA, SPRITES), "cloud"),
        ("auto", (SIGNING, OLD), "cloud"),
        ("cloud", (MESA, SPRITES), "cloud"),
        ("local", (), "local"),
        ("local", (MESA, SPRITES), "local"),
        ("local", (MESA,), "local"),
    ],
)
def test_the_choice(wanted, names, chosen):
    assert choose(wanted, *names).name == chosen


@pytest.mark.parametrize(
    ("wanted", "names", "missing"),
    [
        ("auto", (MESA,), "SPRITES_TOKEN"),
        ("auto", (SPRITES,), "MESA_API_KEY"),
        ("cloud", (), "MESA_API_KEY"),
        ("cloud", (MESA,), "SPRITES_TOKEN"),
    ],
)
def test_half_of_them_is_an_error_that_names_the_other_half(wanted, names, missing):
    with pytest.raises(CredentialsProblem) as caught:
        choose(wanted, *names)
    assert missing in caught.value.what and caught.value.exit_code == 4
    assert "engine env" in caught.value.fix or "--engine local" in caught.value.fix


def test_the_newer_name_goes_first_and_nothing_is_shown():
    found = credentials_of({SPRITES: "new", OLD: "old", MESA: "key"})
    assert found.sprites_token == "new"
    assert "key" not in repr(found).replace("MESA_API_KEY", "") and "SPRITES_TOKEN" in repr(found)


def test_a_mount_key_from_a_file_stdin_or_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text("from-file\n")
    environ = {"MESABOX_MOUNT_KEY": "from-env"}
    assert given_mount_key(str(file), io.BytesIO(), environ) == "from-file"
    assert given_mount_key("-", io.BytesIO(b"from-stdin\n"), environ) == "from-stdin"
    assert given_mount_key(None, io.BytesIO(), environ) == "from-env"
    assert given_mount_key(None, io.BytesIO(), {}) is None
    with pytest.raises(UsageProblem):
        given_mount_key("-", io.BytesIO(), {})
    with pytest.raises(UsageProblem):
        given_mount_key(str(tmp_path / "none"), io.BytesIO(), {})
