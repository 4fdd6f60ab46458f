import pytest

from mesabox.wire import mesa


def test_change_ids_have_two_spellings_of_the_same_bytes():
    change_id = mesa.change_id_from_bytes(bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert change_id == "zzyyxxwwvvuuttssrrqqppoonnmmllkk"
    assert mesa.change_id_hex(change_id) == "00112233445566778899aabbccddeeff"
    assert mesa.parse_change_id("00112233445566778899aabbccddeeff") == mesa.parse_change_id(change_id) == change_id
    assert mesa.parse_change_id("0" * 32) == mesa.VIRTUAL_ROOT_CHANGE_ID


@pytest.mark.parametrize("text", ["", "z" * 31, "z" * 33, "Z" * 32, "0z" * 16, "main", "z" * 32 + "\n"])
def test_other_texts_are_no_change_ids(text):
    with pytest.raises(ValueError, match="change id"):
        mesa.parse_change_id(text)


@pytest.mark.parametrize("name", ["agent-workspace", "A.b_c-1", "x" * 100, ".hidden"])
def test_good_repo_names(name):
    assert mesa.check_repo_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "x" * 101, "x.git", "x.GIT", "Repos", "api-keys", "a\n"])
def test_bad_repo_names(name):
    with pytest.raises(ValueError):
        mesa.check_repo_name(name)


def test_scopes_contain_the_smaller_ones():
    assert mesa.scopes_within(["admin"]) == ("read", "write", "admin")
    assert mesa.common_scopes(["admin"], ["write"]) == ("read", "write")
    assert mesa.common_scopes(["read"], ["unheard-of"]) == ()
    assert mesa.permits(["write"], "read")
    assert not mesa.permits(["write"], "admin")
