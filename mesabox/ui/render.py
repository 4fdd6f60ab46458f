"""The one place that prints a result: for a person on a terminal, plain for a pipe, JSON, or quiet."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain

from mesabox.errors import MesaboxError
from mesabox.ui.envelope import envelope
from mesabox.ui.result import Block, Fields, Manner, Result, Table
from mesabox.ui.streams import Sink, Streams

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def show(streams: Streams, manner: Manner, command: str, result: Result, *, runs_a_command: bool = False) -> None:
    """Prints it once: data on stdout, talk and errors on stderr."""
    if manner.captured:
        if manner.json:
            streams.stdout.line(envelope(command, result, runs_a_command=runs_a_command))
        return
    if manner.quiet:
        quiet = result.quiet
        text = quiet if isinstance(quiet, bytes) else "".join(f"{line}\n" for line in quiet)
        with _fenced(streams, [text] if isinstance(text, bytes) or said(streams, text) != text else []):
            streams.stdout.write(text)
    else:
        with _fenced(streams, result.view):
            for block in result.view:
                _show_block(streams, block)
        for note in result.notes:
            streams.stderr.talk(said(streams, printable(note)))
    if result.error is not None:
        streams.stderr.talk(said(streams, error_text(result.error, colour=streams.stderr.colour)))
        if streams.github is not None:
            from mesabox.ui.github import annotation

            streams.stderr.talk(annotation(result.error))
    elif runs_a_command and result.exit_code and streams.github is not None and not manner.quiet:
        from mesabox.ui.github import ended

        streams.stderr.talk(ended(command, result.exit_code))


def error_text(error: MesaboxError, *, colour: bool) -> str:
    """What, why and what to do, in that order."""
    head = "\x1b[1;31merror:\x1b[0m" if colour else "error:"
    lines = [f"{head} {printable(error.what)}"]
    lines += [f"  {label}: {printable(text)}" for label, text in (("why", error.why), ("fix", error.fix)) if text]
    return "\n".join(lines)


def printable(text: str) -> str:
    """Text of a service or a file must not steer the terminal: control characters are shown, not sent."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


@contextmanager
def _fenced(streams: Streams, blocks: Sequence[Block]) -> Iterator[None]:
    """What is shown was written by others: in GitHub's log none of it is a command."""
    if streams.github is None or not blocks:
        yield
        return
    from mesabox.clients.base import Output
    from mesabox.ui.github import guarded

    with guarded(streams) as fence:
        yield
        if isinstance(last := blocks[-1], bytes | str):
            fence.watch(Output(1, last if isinstance(last, bytes) else last.encode("utf-8", "surrogateescape")))


def said(streams: Streams, text: str) -> str:
    """Talk that quotes others, so that no log takes it for a command."""
    if streams.github is None:
        return text
    from mesabox.ui.github import harmless

    return harmless(text)


def _show_block(streams: Streams, block: Block) -> None:
    if isinstance(block, Table):
        _show_table(streams, block)
    elif isinstance(block, Fields):
        streams.stdout.write(_fields(block, streams.stdout))
    else:
        streams.stdout.write(block)


def _show_table(streams: Streams, table: Table) -> None:
    if not table.rows:
        streams.stderr.talk(table.empty)
        return
    rows = [[_cell(value) for value in row] for row in table.rows]
    if streams.stdout.terminal:
        streams.stdout.write(_bordered(table, rows, streams.stdout))
    else:
        streams.stdout.write("".join("\t".join(row) + "\n" for row in rows))


def _fields(fields: Fields, sink: Sink) -> str:
    width = max(map(len, (name for name, _ in fields.pairs)), default=0)
    return "".join(
        f"{name:<{width}}  {_cell(value)}\n" if sink.terminal else f"{name}\t{_cell(value)}\n"
        for name, value in fields.pairs
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return printable(str(value)).replace("\t", " ").replace("\n", " ")


def _bordered(table: Table, rows: list[list[str]], sink: Sink) -> str:
    # rich costs 60 ms to import: only a table on a terminal pays for it.
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(*table.columns, box=box.ROUNDED, header_style="bold")
    for row in rows:
        drawn.add_row(*(Text(cell, overflow="fold") for cell in row))
    console = Console(width=sink.width, force_terminal=True, no_color=not sink.colour, highlight=False)
    with console.capture() as captured:
        console.print(drawn)
    return captured.get() if sink.colour else _without_escapes(captured.get())


def _without_escapes(text: str) -> str:
    return "".join(chain.from_iterable(re.split(r"\x1b\[[0-9;]*m", text)))
