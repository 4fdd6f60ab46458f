"""sudo inside a sprite whose host has none that works: asks the engine, through the door, to run a command as root.

The three standard descriptors travel with the first byte; the answer is the exit code. Who is root already just runs
the command.
"""

import array
import json
import os
import pwd
import signal
import socket
import sys
from typing import NoReturn, TextIO

USAGE = "usage: sudo [-n] [-E] [-H] [-k] [-i | -s] [-u USER] [VAR=VALUE ...] [--] COMMAND [ARGUMENT ...]"
DOOR = "/.sprite/run/door.sock"
PATH = "/.sprite/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT = ("TERM", "COLORTERM", "LANG", "DISPLAY", "TZ", "DEBIAN_FRONTEND")
LIBRARIES = "/.sprite/python/lib"  # where this interpreter finds its own library; nobody else's business
FLAGS = "nEHkKbSABPis"
PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Request:
    """What the command line asks for."""

    def __init__(self, words: list[str]) -> None:
        self.user = "root"
        self.flags: set[str] = set()
        self.set: dict[str, str] = {}
        self.argv = self._take_assignments(self._take_options(list(words)))

    def _take_options(self, words: list[str]) -> list[str]:
        while words and words[0].startswith("-") and words[0] != "-":
            word = words.pop(0)
            if word == "--":
                break
            if word in ("--version", "-V"):
                leave(0, "sudo of mesabox: asks the sprite's engine", sys.stdout)
            if word in ("--help", "-h"):
                leave(0, USAGE, sys.stdout)
            if word.startswith("--"):
                self._long(word[2:], words)
            else:
                self._short(word[1:], words)
        return words

    def _short(self, letters: str, words: list[str]) -> None:
        for index, letter in enumerate(letters):
            if letter in "ugCpRrTtDh":
                value = letters[index + 1 :] or (words.pop(0) if words else "")
                if letter == "u":
                    self.user = value
                return
            if letter in "vl":
                leave(0)
            if letter not in FLAGS:
                leave(1, f"sudo: unknown option -{letter}\n{USAGE}")
            self.flags.add(letter)

    def _long(self, word: str, words: list[str]) -> None:
        name, equals, value = word.partition("=")
        short = {"non-interactive": "n", "preserve-env": "E", "set-home": "H", "login": "i", "shell": "s", "stdin": "S"}
        if name == "user":
            self.user = value if equals else (words.pop(0) if words else "")
        elif name in short:
            self.flags.add(short[name])
        elif name not in ("reset-timestamp", "remove-timestamp", "background"):
            leave(1, f"sudo: unknown option --{name}\n{USAGE}")

    def _take_assignments(self, words: list[str]) -> list[str]:
        while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
            name, _, value = words.pop(0).partition("=")
            self.set[name] = value
        return words

    def command(self, shell: str) -> list[str]:
        """The words to run; a shell of its own with -i or -s, or with nothing but variables."""
        if not self.flags & {"i", "s"}:
            return self.argv
        script = " ".join(map(_quoted, self.argv))
        return [shell, *(["-l"] if "i" in self.flags else []), *(["-c", script] if script else [])]


def _quoted(word: str) -> str:
    return word if word.isalnum() else "'" + word.replace("'", "'\\''") + "'"


def environment(request: Request, user: pwd.struct_passwd, caller: str) -> dict[str, str]:
    """As the real one's defaults have it: little is kept, unless -E asks for all of it."""
    kept = {name: value for name, value in os.environ.items() if "E" in request.flags or _is_kept(name)}
    if kept.get("LD_LIBRARY_PATH") == LIBRARIES:
        del kept["LD_LIBRARY_PATH"]
    own = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "SHELL": user.pw_shell, "PATH": PATH}
    asker = {"SUDO_USER": caller, "SUDO_UID": str(os.getuid()), "SUDO_GID": str(os.getgid())}
    return {**kept, **own, **asker, **request.set}


def _is_kept(name: str) -> bool:
    return name in KEPT or name.startswith("LC_") or name.lower().endswith("_proxy")


def main(words: list[str]) -> NoReturn:
    request = Request(words)
    try:
        user = pwd.getpwuid(int(request.user[1:])) if request.user[:1] == "#" else pwd.getpwnam(request.user)
    except (KeyError, ValueError):
        leave(1, f"sudo: unknown user {request.user}")
    if user.pw_name not in ("root", "sprite"):
        leave(1, f"sudo: only root and sprite can be acted as, not {user.pw_name}")
    argv = request.command(user.pw_shell)
    if not argv:
        leave(0 if request.flags & {"k", "K"} else 1, None if request.flags & {"k", "K"} else USAGE)
    env = environment(request, user, os.environ.get("USER", ""))
    folder = user.pw_dir if "i" in request.flags else os.getcwd()
    if user.pw_uid == os.getuid():
        become(argv, env, folder)
    sys.exit(ask({"op": "sudo", "user": user.pw_name, "argv": argv, "env": env, "cwd": folder}))


def become(argv: list[str], env: dict[str, str], folder: str) -> NoReturn:
    try:
        os.chdir(folder)
        os.execvpe(argv[0], argv, env)
    except FileNotFoundError:
        leave(127, f"sudo: {argv[0]}: command not found")
    except OSError as error:
        leave(126, f"sudo: {argv[0]}: {error.strerror}")


def ask(message: dict[str, object]) -> int:
    """Send the request with our stdin, stdout and stderr, pass signals on, and wait for the exit code."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.connect(os.environ.get("MESABOX_DOOR", DOOR))
        data = json.dumps(message).encode() + b"\n"
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
        sent = door.sendmsg([data], [rights])
        door.sendall(data[sent:])
        for number in PASSED:
            signal.signal(number, lambda number, _: door.sendall(_signal_line(number)))
        answer = json.loads(door.makefile("rb").readline() or b'{"error": "the engine is gone"}')
    except OSError as error:
        leave(1, f"sudo: the engine does not answer: {error.strerror}")
    if not answer.get("ok"):
        leave(int(answer.get("exit", 1)), f"sudo: {answer.get('error')}")
    return int(answer["exit_code"])


def _signal_line(number: int) -> bytes:
    return json.dumps({"signal": signal.Signals(number).name.removeprefix("SIG")}).encode() + b"\n"


def leave(code: int, words: str | None = None, stream: TextIO | None = None) -> NoReturn:
    if words is not None:
        print(words, file=stream or sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
