"""A run in a process of its own, which outlives the command that started it."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

from mesabox import errors
from mesabox.errors import Bug, MesaboxError
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

Begin = Callable[[Switchboard, Callable[[str], None]], Coroutine[Any, Any, Result]]
"""The run, over a switchboard that says nothing; calls its second argument with its id once it is on record."""
_BEGUN = b"begun "


def detach(board: Switchboard, begin: Begin) -> str:
    """The run's id, once it is on record; raises what kept it from there.

    By fork, before there is a thread or a loop: what was read from stdin (secrets) goes along in memory, and nothing
    of it shows in an argv or an environment.
    """
    heard, told = os.pipe()
    if (child := os.fork()) == 0:
        os.close(heard)
        _become_nobodys_child(takes_input=board.streams.has_input)
        _run(board, begin, told)
    os.close(told)
    os.waitpid(child, 0)
    board.forget_events()  # they are the other process's now
    with os.fdopen(heard, "rb") as pipe:
        answer = pipe.read()
    if not answer.startswith(_BEGUN):
        raise _error(answer)
    return answer.removeprefix(_BEGUN).decode()


def _become_nobodys_child(*, takes_input: bool) -> None:
    """A session of its own, so that no terminal's signals come here; not ours to wait for; and whoever reads what we
    print (``$(...)``) is not kept waiting either.
    """
    os.setsid()
    if os.fork():
        os._exit(0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2) if takes_input else (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _run(board: Switchboard, begin: Begin, told: int) -> NoReturn:
    answered = False

    def answer(text: bytes) -> None:
        nonlocal answered
        if not answered:
            os.write(told, text)
            os.close(told)
            answered = True

    try:
        quiet = board.detached()
        result = asyncio.run(begin(quiet, lambda run_id: answer(_BEGUN + run_id.encode())))
        quiet.tell_end(result)
    except MesaboxError as error:
        answer(_words(error))
    except BaseException as failure:
        answer(_words(Bug(f"mesabox hit a bug: {type(failure).__name__}", why=str(failure))))
    finally:
        os._exit(0)


def _words(error: MesaboxError) -> bytes:
    told = {"kind": type(error).__name__, "what": error.what, "why": error.why, "fix": error.fix}
    return json.dumps({**told, "code": error.code, "retryable": error.retryable}).encode()


def _error(answer: bytes) -> MesaboxError:
    with suppress(ValueError):
        told = json.loads(answer)
        kind = getattr(errors, told.pop("kind"), MesaboxError)
        what = told.pop("what")
        error: MesaboxError = kind(what, **told)
        return error
    return Bug("the run's process ended before it was on record", fix="mesabox runs list")
