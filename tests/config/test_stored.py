"""What `auth login` keeps: in a keyring that works, else in a file of one's own; below the environment."""

import stat

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringError, PasswordDeleteError

from mesabox.config.credentials import choose_engine, credentials_of
from mesabox.config.stored import Stored, checked
from mesabox.errors import CredentialsProblem, UsageProblem


class FakeKeyring(KeyringBackend):
    priority = 5

    def __init__(self):
        super().__init__()
        self.kept, self.locked, self.forgetful = {}, False, False

    def set_password(self, service, username, password):
        self._open()
        if not self.forgetful:
            self.kept[service, username] = password

    def get_password(self, service, username):
        self._open()
        return self.kept.get((service, username))

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("gone")

    def _open(self):
        if self.locked:
            raise KeyringError("it is locked")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config" / "credentials.json"


@pytest.fixture
def backend():
    before = keyring.get_keyring()
    backend = FakeKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring(backend):
    keyring.set_keyring(NoKeyring())


def test_in_the_keyring(file, backend):
    stored = Stored(file)
    assert stored.secret("mesa") is None
    assert stored.keep("mesa", "mesa_key") == "keyring"
    assert stored.secret("mesa") == "mesa_key" and "mesa_key" not in file.read_text()
    assert list(backend.kept.values()) == ["mesa_key"]
    assert stored.forget("mesa") and not stored.forget("mesa")
    assert stored.places() == {} and backend.kept == {}


@pytest.mark.parametrize("fault", ["locked", "forgetful", "absent"])
def test_in_a_file_of_ones_own_where_no_keyring_works(file, backend, fault):
    if fault == "absent":
        keyring.set_keyring(NoKeyring())
    else:
        setattr(backend, fault, True)
    stored = Stored(file)
    assert stored.keep("sprites", "token") == "file"
    assert stored.secret("sprites") == "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_a_keyring_that_locks_itself_later_is_an_error_with_a_way_out(file, backend):
    stored = Stored(file)
    stored.keep("mesa", "mesa_key")
    backend.locked = True
    with pytest.raises(CredentialsProblem) as caught:
        stored.secret("mesa")
    assert "locked" in caught.value.why and "auth login" in caught.value.fix
    assert stored.forget("mesa")


def test_a_new_one_takes_the_old_ones_place(file, backend):
    stored = Stored(file)
    stored.keep("mesa", "one")
    keyring.set_keyring(backend)
    backend.forgetful = True
    stored.keep("mesa", "two")
    assert (stored.secret("mesa"), backend.kept) == ("two", {})


def test_the_environment_goes_first_service_by_service(file, no_keyring):
    stored = Stored(file)
    stored.keep("mesa", "mesa_stored")
    stored.keep("sprites", "stored")
    both = credentials_of({}, stored)
    assert (both.mesa_api_key, both.sprites_token) == ("mesa_stored", "stored")
    assert choose_engine("auto", "", both).why == "the stored Mesa credential and the stored Sprites token are set"
    signing = credentials_of({"MESA_PRIVATE_KEY": "mesa_private_key_x_y"}, stored)
    assert (signing.mesa_api_key, signing.mesa_private_key) == (None, "mesa_private_key_x_y")
    assert credentials_of({"SPRITE_TOKEN": "env"}, stored).sprites_token == "env"


def test_a_private_key_is_told_from_an_api_key(file, no_keyring):
    stored = Stored(file)
    stored.keep("mesa", "mesa_private_key_x_y")
    assert credentials_of({}, stored).mesa_private_key == "mesa_private_key_x_y"


@pytest.mark.parametrize("text", ["", "  \n", "two words", "ü", "a\nb", "a\0b", "mesa_private_key_org_nonsense"])
def test_what_cannot_be_a_credential(text):
    with pytest.raises(UsageProblem) as caught:
        checked("mesa", text)
    assert not text.strip() or text.strip() not in caught.value.what + caught.value.why + caught.value.fix


def test_line_ends_around_it_are_no_part_of_it():
    assert checked("sprites", "org/1/ab/token\r\n") == "org/1/ab/token"


@pytest.mark.parametrize("content", ["{", "[]", '{"mesa": 1}', '{"mesa": {"in": "file"}}'])
def test_a_damaged_file_is_named(file, content):
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(UsageProblem) as caught:
        Stored(file).secret("mesa")
    assert str(file) in caught.value.what
