"""The files API where published clients do not look: ranges, files that are none, names that are no text."""

import httpx
import pytest

from tests.engine.sprites.conftest import NAME


@pytest.mark.parametrize(
    ("header", "status", "content", "span"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=-100", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=0-1", 200, b"0123456789", None),
    ],
)
def test_ranges(files, header, status, content, span):
    files("PUT", "write", "ten", content=b"0123456789")
    answer = files("GET", "read", "ten", headers={"Range": header})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, span)


def test_files_that_are_none_and_names_that_are_no_text(sprites, files):
    files("PUT", "write", "file", content=b"x")
    listen = "python3 -c \"import socket; socket.socket(1).bind('sock')\""
    script = f"mkfifo fifo; ln -s loop loop; touch $(printf 'bad\\377'); {listen}"
    words = {"cmd": ["sh", "-c", script], "dir": files.folder}
    sprites.post(f"/v1/sprites/{NAME}/exec", params=words)
    for name, status, code in (
        ("fifo", 400, "EINVAL"),
        ("sock", 400, "EINVAL"),
        ("loop", 400, "ELOOP"),
        (".", 400, "EISDIR"),
        ("file/x", 400, "ENOTDIR"),
        ("none", 404, "ENOENT"),
        ("/etc/shadow", 403, "EACCES"),
        ("/proc/1/root/etc/passwd", 403, "EACCES"),
    ):
        for answer in (files("GET", "read", name), files("PUT", "write", name, content=b"")):
            if not (name == "none" and answer.status_code == 200):
                assert (answer.status_code, answer.json()["code"]) == (status, code), name
                assert "openat" not in answer.json()["error"]
    names = [entry["name"] for entry in files("GET", "list").json()["entries"]]
    assert "bad\ufffd\ufffd\ufffd" in names or "bad\ufffd" in names
    assert b"processor" in files("GET", "read", "/proc/cpuinfo").content


def test_a_file_that_shrinks_while_it_is_read_breaks_the_answer_off(files):
    files("PUT", "write", "big", content=bytes(64 << 20))
    url = f"/v1/sprites/{NAME}/fs/read?path={files.folder}/big"
    with pytest.raises(httpx.RemoteProtocolError), files.client.stream("GET", url) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        files("PUT", "write", "big", content=b"")
        for _ in pieces:
            pass


def test_copying_a_file_onto_itself_keeps_it(files):
    files("PUT", "write", "file", content=b"precious")
    assert files("POST", "copy", json={"source": "file", "dest": "file"}).status_code == 400
    assert files("GET", "read", "file").content == b"precious"
