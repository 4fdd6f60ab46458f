import io
import os
import tarfile

import pytest

from mesabox.errors import Failed
from mesabox.flow.seed import archive
from mesabox.flow.seed.archive import tar_of
from mesabox.flow.seed.source import read_source
from tests.flow import trees
from tests.flow.trees import EXECUTABLE, FILE, LINK


async def packed(source):
    return b"".join([piece async for piece in tar_of(source)])


async def test_what_is_unpacked_is_what_was_there(tmp_path):
    deep = "/".join(["d" * 60] * 4) + "/" + "é" * 120
    tree = {
        "a": (FILE, b"a"),
        "run": (EXECUTABLE, b"x" * 512),
        "ünï \n": (FILE, b""),
        deep: (FILE, b"deep"),
        "link": (LINK, b"../" * 60 + b"nowhere"),
        "big": (FILE, os.urandom(1_000_001)),
        "-x": (FILE, b"-"),
    }
    trees.write(tree, tmp_path / "from")
    data = await packed(read_source(tmp_path / "from"))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
        assert {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
        assert {m.mode for m in members if not m.issym()} == {0o644, 0o755}
        tar.extractall(tmp_path / "to", filter="fully_trusted")
    assert trees.read(tmp_path / "to") == tree


async def test_it_comes_in_pieces(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 3_000_000)
    sizes = [len(piece) async for piece in tar_of(read_source(tmp_path))]
    assert max(sizes) < 1 << 20 and sum(sizes) > 3_000_000


@pytest.mark.parametrize("become", ["gone", "link", "folder"])
async def test_a_file_that_is_none_any_more_is_said(tmp_path, become):
    (tmp_path / "a").write_text("a")
    source = read_source(tmp_path)
    (tmp_path / "a").unlink()
    if become == "link":
        (tmp_path / "a").symlink_to("/etc/passwd")
    elif become == "folder":
        (tmp_path / "a").mkdir()
    with pytest.raises(Failed) as told:
        await packed(source)
    assert told.value.code == "source_changed" and "a changed" in told.value.what


async def test_a_file_that_shrinks_while_it_is_read_is_said(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    source = read_source(tmp_path)
    real = os.fstat
    monkeypatch.setattr(archive.os, "fstat", lambda fd: (os.truncate(tmp_path / "a", 10), found := real(fd))[1:] and
                        os.stat_result((*found[:6], 1000, *found[7:])))  # fmt: skip
    with pytest.raises(Failed, match="changed while"):
        await packed(source)
