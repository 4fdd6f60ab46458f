"""sprites-py 0.7.2, unmodified, against the engine of SPRITES_API_URL and SPRITES_TOKEN; raises at the first fault."""

import io
import os
import threading
import time
import uuid

from sprites import NetworkPolicy, NotFoundError, PolicyRule, SpriteError, SpritesClient
from sprites.exceptions import DirectoryNotEmptyError, FileNotFoundError_, IsADirectoryError_
from sprites.exec import ExitError
from sprites.session import kill_session

client = SpritesClient(token=os.environ["SPRITES_TOKEN"], base_url=os.environ["SPRITES_API_URL"])
NAME = f"judge-py-{uuid.uuid4().hex[:8]}"


def fails(kind, work, text=""):
    try:
        work()
    except kind as error:
        assert text in str(error), str(error)
        return error
    raise AssertionError(f"expected {kind.__name__}")


def catalogue(sprite):
    assert sprite.name == NAME
    info = client.get_sprite(NAME)
    assert info.name == NAME and info.status in ("cold", "warm", "running")
    assert NAME in [one.name for one in client.list_sprites().sprites]
    assert [one.name for one in client.list_all_sprites(prefix="judge-py-")].count(NAME) == 1
    fails(SpriteError, lambda: client.create_sprite(NAME), "already exists")
    fails(SpriteError, lambda: client.create_sprite("Not_A_Name"), "invalid sprite name")
    fails(NotFoundError, lambda: client.get_sprite("judge-py-nobody"))
    client.update_sprite(NAME, labels=["one", "two"])
    fails(SpriteError, lambda: SpritesClient(token="wrong", base_url=client.base_url).get_sprite(NAME))


def running(sprite):
    assert sprite.command("echo", "hello").output() == b"hello\n"
    assert sprite.command("sh", "-c", "echo out; echo err >&2").combined_output() == b"out\nerr\n"
    for code in (0, 1, 7, 126, 127, 255):
        assert sprite.run("sh", "-c", f"exit {code}").returncode == code
    assert sprite.run("no-such-program").returncode == 127
    assert sprite.run("/etc").returncode == 126
    assert sprite.run("sh", "-c", "kill -TERM $$").returncode == 143
    assert sprite.run("sh", "-c", "kill -KILL $$").returncode == 137
    done = sprite.run("sh", "-c", "exit 3", capture_output=True)
    assert done.returncode == 3
    error = fails(ExitError, lambda: sprite.run("false", check=True))
    assert error.exit_code() == 1 if callable(error.exit_code) else error.exit_code == 1
    assert sprite.command("printenv", "GREETING", env={"GREETING": "a=b c&d"}).output() == b"a=b c&d\n"
    assert sprite.command("pwd", cwd="/tmp").output() == b"/tmp\n"
    assert b"/home" in sprite.command("pwd").output()
    assert sprite.command("whoami").output() == b"sprite\n"
    assert sprite.command("printf", "%s|", "a b", "", "c\nd", "é").output() == "a b||c\nd|é|".encode()


def input_and_size(sprite):
    data = os.urandom(3_000_000)
    assert sprite.command("cat", stdin=io.BytesIO(data)).output() == data
    assert sprite.command("wc", "-c", stdin=io.BytesIO(b"")).output().strip() == b"0"
    prompt = "".join(chr(0x4E00 + i % 500) if i % 7 == 0 else "x y\n"[i % 4] for i in range(60_000))
    assert len(prompt.encode()) > 75_000
    assert sprite.command("printf", "%s", prompt).output() == prompt.encode()
    big = "q" * 100_000
    assert sprite.command("printf", "%s", big).output() == big.encode()
    collected = io.BytesIO()
    sprite.command("head", "-c", "5000000", "/dev/zero", stdout=collected).run()
    assert collected.getvalue() == bytes(5_000_000)
    for _ in range(50):
        assert sprite.command("echo", "x").output() == b"x\n"


def terminal(sprite):
    seen = sprite.command("sh", "-c", "tty; stty size; exit 5", tty=True, tty_rows=40, tty_cols=100)
    error = fails(ExitError, seen.output)
    assert b"/dev/pts/" in error.stdout and b"40 100" in error.stdout, error.stdout
    assert sprite.run("sh", "-c", "test -t 0 && test -t 1 && test -t 2", tty=True).returncode == 0
    assert sprite.run("sh", "-c", "test -t 0").returncode == 1


def files(sprite):
    place = sprite.filesystem("/home/sprite")
    note = place / "notes" / "a b.txt"
    note.write_text("hello é")
    assert note.read_text() == "hello é" and note.exists() and note.is_file()
    assert note.stat().size == len("hello é".encode())
    blob = os.urandom(300_000)
    (place / "blob").write_bytes(blob)
    assert (place / "blob").read_bytes() == blob
    (place / "empty").mkdir()
    assert (place / "empty").listdir() == []
    assert sorted((place / "notes").listdir()) == ["a b.txt"]
    note.chmod(0o700)
    assert sprite.command("stat", "-c", "%a", "/home/sprite/notes/a b.txt").output() == b"700\n"
    moved = note.rename("/home/sprite/notes/c.txt")
    assert moved.read_text() == "hello é" and not note.exists()
    moved.copy_to("/home/sprite/notes/d.txt")
    assert (place / "notes/d.txt").read_text() == "hello é"
    fails(FileNotFoundError_, lambda: (place / "nothing").read_bytes())
    fails(IsADirectoryError_, lambda: (place / "notes").read_bytes())
    fails((DirectoryNotEmptyError, SpriteError), lambda: (place / "notes").rmdir())
    (place / "notes").rmtree()
    assert not (place / "notes").exists()
    assert sprite.command("stat", "-c", "%U", "/home/sprite/blob").output() == b"sprite\n"
    (sprite.filesystem("/tmp") / "x" / "y").write_text("deep", mkdir_parents=True)
    (place / "blob").unlink()


def sessions(sprite):
    output = io.BytesIO()
    command = sprite.command("sh", "-c", "echo begun; sleep 30", tty=True, stdout=output)
    thread = threading.Thread(target=lambda: fails(Exception, command.run), daemon=True)
    thread.start()
    deadline = time.time() + 10
    while not (found := sprite.list_sessions()) and time.time() < deadline:
        time.sleep(0.05)
    assert len(found) == 1 and found[0].tty and "sleep 30" in found[0].command
    joined = sprite.attach_session(found[0].id)
    joined._capture_stdout = True
    watcher = threading.Thread(target=lambda: fails(Exception, joined.run), daemon=True)
    watcher.start()
    time.sleep(0.3)
    events = [message.type for message in kill_session(sprite, found[0].id, "SIGTERM", 5)]
    assert events[0] == "signal" and events[-1] == "complete", events
    thread.join(10)
    watcher.join(10)
    assert joined.exit_code == 143 and b"begun" in joined._stdout_data, (joined.exit_code, joined._stdout_data)
    assert command.exit_code == 143
    assert sprite.list_sessions() == []
    fails(SpriteError, lambda: kill_session(sprite, "999999", "SIGTERM", 1))


def checkpoints(sprite):
    place = sprite.filesystem("/home/sprite")
    (place / "kept").write_text("one")
    lines = list(sprite.create_checkpoint("first"))
    assert lines[-1].type == "complete" and "v1" in lines[-1].data
    (place / "kept").write_text("two")
    (place / "late").write_text("late")
    assert list(sprite.create_checkpoint("second"))[-1].type == "complete"
    ids = [checkpoint.id for checkpoint in sprite.list_checkpoints()]
    assert ids == ["Current", "v2", "v1", "v0"], ids
    assert sprite.get_checkpoint("v1").comment == "first"
    assert list(sprite.restore_checkpoint("v1"))[-1].type == "complete"
    assert (place / "kept").read_text() == "one" and not (place / "late").exists()
    assert list(sprite.restore_checkpoint("v2"))[-1].type == "complete"
    assert (place / "kept").read_text() == "two" and (place / "late").exists()
    assert list(sprite.restore_checkpoint("v9"))[-1].type == "error"
    fails(NotFoundError, lambda: sprite.get_checkpoint("v9"))


def policy(sprite):
    sprite.update_network_policy(NetworkPolicy(rules=[PolicyRule(domain="example.com", action="allow")]))
    assert [rule.domain for rule in sprite.get_network_policy().rules] == ["example.com"]


def main():
    sprite = client.create_sprite(NAME, labels=["judge"])
    try:
        for part in (catalogue, running, input_and_size, terminal, files, sessions, checkpoints, policy):
            part(sprite)
            print("ok", part.__name__, flush=True)
    finally:
        sprite.destroy()
    fails(NotFoundError, lambda: client.get_sprite(NAME))


main()
