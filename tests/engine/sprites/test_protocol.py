"""The engine as a client sees it, to the letter: frames, statuses and bodies, where published clients do not look."""

import json
import time
from urllib.parse import urlencode

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.engine.sprites.conftest import NAME


def _socket(sprites, words=(), route="exec", **query):
    pairs = [("cmd", word) for word in words] + list(query.items())
    url = f"{sprites.base_url}/v1/sprites/{NAME}/{route}?{urlencode(pairs)}".replace("http", "ws", 1)
    headers = {"Authorization": sprites.headers["Authorization"]}
    return connect(
        url, additional_headers=headers, compression=None, max_size=None, ping_interval=None, close_timeout=1
    )


def _rest(socket):
    frames = []
    try:
        while True:
            frames.append(socket.recv(timeout=20))
    except ConnectionClosed as closed:
        return frames, closed.rcvd.code


def _until(socket, wanted):
    seen = b""
    while wanted not in seen:
        seen += socket.recv(timeout=5)


def _run(sprites, *words, **query):
    with _socket(sprites, words, **query) as socket:
        return _rest(socket)


def _output(frames):
    return b"".join(frame[1:] for frame in frames if isinstance(frame, bytes) and frame[0] in (1, 2))


def test_session_info_is_first_and_the_exit_last(sprites):
    frames, code = _run(sprites, "sh", "-c", "echo out; echo err >&2; exit 42")
    info = json.loads(frames[0])
    assert info["type"] == "session_info" and info["session_id"].isdecimal() and info["tty"] is False
    assert sorted(frames[1:-1]) == [b"\1out\n", b"\2err\n"]
    assert frames[-1] == b"\3*" and code == 1000
    frames, code = _run(sprites, "sh", "-c", "stty size; exit 3", tty="true", rows="11", cols="22")
    assert frames[1:] == [b"11 22\r\n", '{"type": "exit", "exit_code": 3}'] and code == 1000


@pytest.mark.parametrize(
    ("words", "query", "code"),
    [
        (["no-such-program"], {}, 127),
        (["/tmp"], {}, 126),
        (["/etc/hostname"], {}, 126),
        (["true"], {"dir": "/no/such"}, 127),
        (["sh", "-c", "kill -TERM $$"], {}, 143),
        ([""], {}, 127),
        ([], {"path": "/bin/false"}, 1),
        (["named"], {"path": "/bin/true"}, 0),
        (["true"], {"no-such-parameter": "x"}, 0),
    ],
)
def test_exit_codes(sprites, words, query, code):
    assert _run(sprites, *words, **query)[0][-1] == bytes([3, code])


@pytest.mark.parametrize(
    "query",
    [
        {"cmd": "a\0b"},
        {"cmd": "pwd", "dir": "/t\0mp"},
        {"cmd": "env", "env": "A=b\0c"},
        {"cmd": "env", "env": "=x"},
        {"cmd": "pwd", "rows": "-1", "tty": "true"},
        {"cmd": "pwd", "max_run_after_disconnect": "soon"},
        {"cmd": "pwd", "stdin": "maybe"},
    ],
)
def test_bad_parameters_are_refused_before_the_upgrade(sprites, query):
    with pytest.raises(InvalidStatus) as refused, _socket(sprites, **query):
        pass
    assert refused.value.response.status_code == 400
    assert json.loads(bytes(refused.value.response.body))["errors"]


def test_frames_that_mean_nothing_are_ignored(sprites):
    with _socket(sprites, ["cat"], stdin="true") as socket:
        for text in ("", "{", "null", "[" * 50_000, "control:{}", '{"type":"resize"}', '{"type":"release"}'):
            socket.send(text)
        for size in ("1e999", "-1", '"x"', "null", "99999999"):
            socket.send(f'{{"type":"resize","rows":{size},"cols":80}}')
        for frame in (b"", b"\7abc", b"\1x", b"\3\0", b"\0", b"\0hello", b"\4", b"\4", b"\0late"):
            socket.send(frame)
        frames, code = _rest(socket)
    assert frames[1:] == [b"\1hello", b"\3\0"] and code == 1000


def test_frames_are_discarded_without_stdin(sprites):
    with _socket(sprites, ["sh", "-c", "cat; sleep 0.2"], stdin="false") as socket:
        for frame in (b"\4", b"\0x", b"\4"):
            socket.send(frame)
        assert _rest(socket)[0][1:] == [b"\3\0"]


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "15"])
def test_signals_by_every_name(sprites, name):
    with _socket(sprites, ["sleep", "60"]) as socket:
        socket.recv()
        socket.send(json.dumps({"type": "signal", "signal": name}))
        assert _rest(socket)[0][-1] == bytes([3, 143])


def test_a_daemon_that_goes_on_writing_does_not_hold_the_exit(sprites):
    began = time.monotonic()
    frames, _ = _run(sprites, "sh", "-c", "yes & echo $!; exit 5")
    assert frames[-1] == b"\3\5" and time.monotonic() - began < 3
    _run(sprites, "kill", _output(frames).split()[0].decode())


def test_a_client_that_reads_nothing_costs_nobody_and_is_killed_in_order(sprites):
    with _socket(sprites, ["cat", "/dev/zero"], max_run_after_disconnect="0.1s") as socket:
        session = json.loads(socket.recv())["session_id"]
        assert _run(sprites, "echo", "x")[0][1:] == [b"\1x\n", b"\3\0"]
        kill = sprites.post(f"/v1/sprites/{NAME}/exec/{session}/kill?signal=TERM&timeout=5s")
        events = [json.loads(line) for line in kill.text.splitlines()]
        assert [event["type"] for event in events] == ["signal", "exited", "complete"]
        assert events[-1]["exit_code"] == 143


def test_kill_by_query_by_body_and_of_what_is_over(sprites):
    for options in ({"params": {"signal": "KILL", "timeout": "5s"}}, {"json": {"signal": "KILL", "timeout": 5}}):
        with _socket(sprites, ["sleep", "60"]) as socket:
            url = f"/v1/sprites/{NAME}/exec/{json.loads(socket.recv())['session_id']}/kill"
            assert json.loads(sprites.post(url, **options).text.splitlines()[-1])["exit_code"] == 137
            assert _rest(socket)[0][-1] == bytes([3, 137])
        assert sprites.post(url).status_code == 410
    assert sprites.post(f"/v1/sprites/{NAME}/exec/999999/kill").status_code == 404
    assert sprites.post(f"/v1/sprites/{NAME}/exec/999999/kill?signal=NOPE").status_code == 400


@pytest.mark.parametrize("legacy", [False, True])
def test_two_attach_to_a_terminal(sprites, legacy):
    with _socket(sprites, ["sh"], tty="true") as owner:
        session = json.loads(owner.recv())["session_id"]
        owner.send(b"echo early\n")
        _until(owner, b"early\r\n")
        where = {"id": session} if legacy else {"route": f"exec/{session}"}
        with _socket(sprites, **where) as other:
            assert json.loads(other.recv())["tty"] is True
            _until(other, b"early\r\n")
            other.send(b"exit 4\n")
            for socket in (owner, other):
                frames, code = _rest(socket)
                assert json.loads(frames[-1]) == {"type": "exit", "exit_code": 4} and code == 1000


def test_post_exec_is_one_chunk_a_frame(sprites):
    with sprites.stream("POST", f"/v1/sprites/{NAME}/exec?cmd=cat&stdin=true", content=b"hello") as answer:
        frames = list(answer.iter_raw())
    assert frames == [b"\1hello", b"\3\0"]


def test_unknown_sessions_and_sprites_and_what_is_not_offered(sprites):
    for path, status in (("exec/77", 404), ("control", 404), ("proxy", 404), ("ports/watch", 404)):
        with pytest.raises(InvalidStatus) as refused, _socket(sprites, route=path):
            pass
        assert refused.value.response.status_code == status
        assert sprites.get(f"/v1/sprites/{NAME}/{path}").status_code == status
    assert sprites.get("/v1/sprites/nobody/fs/list?path=/").json() == {"error": "sprite not found"}
    assert sprites.head("/v1/sprites/nobody/exec").status_code == 404
    assert sprites.head(f"/v1/sprites/{NAME}/exec").headers["Sprite-Version"].startswith("v0")


def test_destroy_tells_those_who_watch(sprites):
    name = "doomed"
    sprites.post("/v1/sprites", json={"name": name})
    url = f"{sprites.base_url}/v1/sprites/{name}/exec?cmd=sleep&cmd=60".replace("http", "ws", 1)
    with connect(url, additional_headers={"Authorization": sprites.headers["Authorization"]}) as socket:
        socket.recv()
        assert sprites.delete(f"/v1/sprites/{name}").status_code == 204
        assert _rest(socket) == ([], 1001)
    assert sprites.get(f"/v1/sprites/{name}").status_code == 404
