"""Files of variables, as docker takes them."""

import pytest

from mesabox.config.env_files import variables_of
from mesabox.errors import UsageProblem


@pytest.fixture
def written(tmp_path):
    def write(content, name="env"):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def test_a_line_is_taken_as_it_is(written):
    file = written(b"\xef\xbb\xbfA=1\n# B=2\n  # C=3\n\n\tD= 'x y' # no comment \r\nE=\nF=a=b\nG=\xff\xc3\xa9")
    assert variables_of([file], {}) == {"A": "1", "D": " 'x y' # no comment ", "E": "", "F": "a=b", "G": "\udcff\u00e9"}


def test_a_name_alone_is_passed_on_where_it_is_set(written):
    assert variables_of([written(b"HERE\nGONE\n")], {"HERE": "x=y"}) == {"HERE": "x=y"}


def test_later_files_win(written):
    assert variables_of([written(b"A=1\nB=1\n"), written(b"B=2\n", "other")], {}) == {"A": "1", "B": "2"}


@pytest.mark.parametrize("line", [b"=x", b"A B=x", b"A =x", b"1=x", b"sekrit value", b"A=a\0b", b"export A=1"])
def test_what_is_none_names_file_and_line_and_no_value(written, line):
    file = written(b"# first\nGOOD=1\n" + line + b"\n")
    with pytest.raises(UsageProblem) as refused:
        variables_of([file], {})
    assert refused.value.what == f"--env-file {file}, line 3"
    assert "sekrit" not in refused.value.why and "=" not in refused.value.why


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageProblem, match="gone cannot be read"):
        variables_of([str(tmp_path / "gone")], {})
