"""A run in a process of its own, which outlives the command that started it."""

import asyncio
import json
import os
import signal
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

from mesabox import errors
from mesabox.cli._refusals import unusable
from mesabox.config.paths import keep_crash_log
from mesabox.errors import Bug, ExitCode, MesaboxError, OutcomeUnknown, ServiceError, TryLater, UsageProblem
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

Begin = Callable[[Switchboard, Callable[[str], None]], Coroutine[Any, Any, Result]]
"""The run, over a switchboard that says nothing; calls its second argument with its id once it is on record."""
_BEGUN = b"begun "


def detach(board: Switchboard, begin: Begin) -> str:
    """The run's id, once it is on record; raises what kept it from there.

    By fork, before there is a loop, or a thread that matters: what was read from stdin (secrets) goes along in memory,
    and nothing of it shows in an argv or an environment.
    """
    board.before_fork()
    heard, told = os.pipe()
    if (child := os.fork()) == 0:
        os.close(heard)
        _become_nobodys_child(takes_input=board.streams.has_input)
        _run(board, begin, told)
    os.close(told)
    os.waitpid(child, 0)
    board.forget_events()  # the other process tells them to their end
    with os.fdopen(heard, "rb") as pipe:
        answer = pipe.read()
    if not answer.startswith(_BEGUN):
        raise _error(answer)
    return answer.removeprefix(_BEGUN).decode()


def _become_nobodys_child(*, takes_input: bool) -> None:
    """A session of its own, so that no terminal's signals come here; and not ours to wait for. Whoever reads what the
    command printed (``id=$(mesabox go -d ...)``) sees its end.
    """
    os.setsid()
    if os.fork():
        os._exit(0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2) if takes_input else (0, 1, 2):
        os.dup2(nowhere, standard)
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
        try:
            result = asyncio.run(begin(quiet, lambda run_id: answer(_BEGUN + run_id.encode())))
        except BaseException as failure:
            error = _as_error(quiet, failure)
            service = isinstance(error, ServiceError | TryLater | OutcomeUnknown)
            result = Result(error=error, exit_code=_exit_code(error), failed_by="service" if service else "mesabox")
        quiet.tell_end(result)
        if result.error is not None:
            answer(_words(result.error))
    finally:
        os._exit(0)


def _as_error(board: Switchboard, failure: BaseException) -> MesaboxError:
    """Of a task group the first failure: it ended the others."""
    if isinstance(failure, BaseExceptionGroup):
        return _as_error(board, failure.exceptions[0])
    if isinstance(failure, MesaboxError):
        return failure
    if isinstance(failure, OSError) and (told := unusable(failure)):
        return told
    kept = keep_crash_log(board.redactor.text("".join(traceback.format_exception(failure))))
    fix = f"the details are in {kept}: please report them" if kept else ""
    return Bug(f"mesabox hit a bug: {type(failure).__name__}", why=str(failure), fix=fix)


def _exit_code(error: MesaboxError) -> ExitCode:
    return error.exit_code if isinstance(error, UsageProblem) else ExitCode.MESABOX_FAILED


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
