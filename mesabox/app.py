"""The front door: argv -> exit code; every error that can end the process ends here."""

import os
import sys

from mesabox import __version__

TYPE_CHECKING = False  # importing typing takes as long as starting the interpreter
if TYPE_CHECKING:
    from collections.abc import Callable

    from mesabox.cli._command import Call
    from mesabox.cli._options import Flags
    from mesabox.errors import MesaboxError
    from mesabox.flow.redaction import Redactor
    from mesabox.switchboard import Switchboard
    from mesabox.ui.result import Manner, Result
    from mesabox.ui.streams import Streams

RUNS_A_COMMAND = frozenset({"go", "run", "sh", "runs attach", "runs rerun"})
"""Their exit code is the command's own; once their arguments parse, a failure of ours or of a service is 125."""

SIGPIPE_EXIT = 141


def run() -> None:
    """The console script."""
    sys.exit(main())


def main(argv: "list[str] | None" = None, streams: "Streams | None" = None) -> int:
    """Runs one command line to its exit code. streams: the outside world, the process's own by default."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words == ["--version"] and streams is None:
        try:
            os.write(1, f"mesabox {__version__}\n".encode())
            return 0
        except OSError:  # told below, as of every other answer
            words = ["version"]
    from mesabox.ui.streams import Streams

    outside = streams or Streams.real()
    try:
        return _answer(_version(words) or words, outside)
    except BrokenPipeError:
        return SIGPIPE_EXIT


def _version(words: "list[str]") -> "list[str] | None":
    """``--version`` among flags alone is the command of that name."""
    if "--version" not in words or not all(word.startswith("-") for word in words):
        return None
    return ["version", *(word for word in words if word != "--version")]


def _answer(words: "list[str]", outside: "Streams") -> int:
    from mesabox.cli._options import Flags, HelpWanted
    from mesabox.cli._tree import flags_of_refusal, manner_of_refusal, read
    from mesabox.flow.redaction import Redactor
    from mesabox.ui.render import printable, said

    flags, call, board, redactor = Flags.glimpse(words), None, None, Redactor(_masking(outside))
    manner = flags.manner()
    try:
        call = read(words)
        flags, manner = call.flags, call.manner
        board = _switchboard(call.path, flags, manner, outside, redactor)
        command, result = call.path, _run(call, board)
    except HelpWanted as wanted:
        command, result = "help", _help(wanted.text)
    except BrokenPipeError:
        if board is not None:
            board.tell_end(_nobody_reads())
        raise
    except (Exception, KeyboardInterrupt) as failure:
        if call is None:
            flags, manner = flags_of_refusal(failure, words), manner_of_refusal(failure, words)
        if flags.debug:
            outside.stderr.talk(said(outside, printable(redactor.text(_traceback(failure)))))
        command, result = _failed(failure, call, redactor)
    if board is None and manner.ndjson:
        board = _switchboard(command, flags, manner, outside, redactor)
    streams = outside.told(no_color=flags.no_color, no_input=flags.no_input)
    try:
        _show(streams, manner, command, result.redacted(redactor), board)
    except BrokenPipeError:
        raise
    except OSError as failure:  # of stdout itself: all others have been answered
        outside.stderr.talk(f"error: the answer cannot be written\n  why: {failure.strerror}")
        return 125 if command in RUNS_A_COMMAND else 1
    return int(result.exit_code)


def _masking(outside: "Streams") -> "Callable[[str], None] | None":
    if outside.github is None:
        return None
    from mesabox.ui.github import masking

    return masking(outside)


def _switchboard(
    command: str, flags: "Flags", manner: "Manner", outside: "Streams", redactor: "Redactor"
) -> "Switchboard":
    from mesabox.switchboard import Switchboard

    streams = outside.told(no_color=flags.no_color, no_input=flags.no_input)
    return Switchboard(streams, manner, flags.settings(), redactor, command)


def _run(call: "Call", board: "Switchboard") -> "Result":
    try:
        board.begin()
        return call.run(board)
    finally:
        board.close()


def _show(streams: "Streams", manner: "Manner", command: str, result: "Result", board: "Switchboard | None") -> None:
    """Machines first: what a person's terminal does with the rest is no matter to them."""
    from mesabox.ui.render import show

    runs = command in RUNS_A_COMMAND
    if board is not None:
        board.tell_end(result)
        if runs and streams.github is not None:
            from mesabox.ui.github_files import publish

            publish(streams, command, result, board.redactor)
    show(streams, manner, command, result, runs_a_command=runs)


def _nobody_reads() -> "Result":
    from mesabox.ui.result import Result

    return Result(exit_code=SIGPIPE_EXIT, failed_by="signal")


def _help(text: str) -> "Result":
    from mesabox.ui.result import Result

    return Result(data={"help": text}, view=[text + "\n"], quiet=[text])


def _failed(failure: BaseException, call: "Call | None", redactor: "Redactor") -> "tuple[str, Result]":
    """(command, result). Before the words parsed, the command is the one that refused them."""
    from mesabox.errors import ExitCode, Interrupted, OutcomeUnknown, ServiceError, TryLater, UsageProblem
    from mesabox.ui.result import Result

    error, command = _as_mesabox_error(failure, redactor), call.path if call else _refusing(failure)
    if call is None or command not in RUNS_A_COMMAND or isinstance(error, UsageProblem):
        return command, Result.of_error(error)
    if isinstance(error, Interrupted):
        return command, Result(error=error, exit_code=error.exit_code, failed_by="signal")
    service = isinstance(error, ServiceError | TryLater | OutcomeUnknown)
    return command, Result(
        error=error, exit_code=ExitCode.MESABOX_FAILED, failed_by="service" if service else "mesabox"
    )


def _as_mesabox_error(failure: BaseException, redactor: "Redactor") -> "MesaboxError":
    from typer import TyperException

    from mesabox.cli._refusals import explained, unusable
    from mesabox.errors import Interrupted, MesaboxError, UsageProblem

    if isinstance(failure, BaseExceptionGroup):  # of a task group: the first failure is the one that ended the others
        return _as_mesabox_error(failure.exceptions[0], redactor)
    if isinstance(failure, MesaboxError):
        return failure
    if isinstance(failure, TyperException):
        command = _refusing(failure)
        if told := explained(failure, command):
            return told
        fix = " ".join(("mesabox", *command.split(), "--help"))
        return UsageProblem(failure.format_message().rstrip("."), fix=fix)
    if isinstance(failure, KeyboardInterrupt):
        return Interrupted("interrupted")
    if isinstance(failure, OSError) and (refused := unusable(failure)):
        return refused
    return _bug(failure, redactor)


def _refusing(failure: BaseException) -> str:
    """``mesabox repo create`` -> ``repo create``: the command whose words did not parse."""
    context = getattr(failure, "ctx", None)
    return context.command_path.partition(" ")[2] if context else ""


def _bug(failure: BaseException, redactor: "Redactor") -> "MesaboxError":
    from mesabox.config.paths import keep_crash_log
    from mesabox.errors import Bug

    kept = keep_crash_log(redactor.text(_traceback(failure)))
    fix = f"the details are in {kept}: please report them" if kept else "run it again with --debug, and report it"
    return Bug(f"mesabox hit a bug: {type(failure).__name__}", why=str(failure), fix=fix)


def _traceback(failure: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(failure))
