"""Write a run's record into one file: events, output, changes, as a tar.gz."""

import os
import stat
import tarfile
from pathlib import Path
from typing import Annotated, BinaryIO

from typer import Option

from mesabox.cli._runs import RunId, run_called
from mesabox.errors import UsageProblem
from mesabox.flow.record.runs import NO_RECORD, Run
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox runs export last",
    "mesabox runs export last -o run.tar.gz",
    "mesabox runs export last -o - | ssh other tar -xzf -",
)

_PRIVATE = 0o600


def command(
    board: Switchboard,
    run_id: RunId,
    output: Annotated[
        str | None, Option("--output", "-o", metavar="FILE|-", help="Where to; RUN.tar.gz.", show_default=False)
    ] = None,
) -> Result:
    run = run_called(board, run_id)
    members = sorted(path for path in run.folder.iterdir() if path.name not in NO_RECORD and _is_file(path))
    if output == "-":
        _check_stdout(board)
        _pack(board.streams.stdout.raw, run, members)
        board.streams.stdout.raw.flush()
        return Result(data={})
    place = Path(output or f"{run.id}.tar.gz")
    size = _write(place, run, members)
    data = {"run_id": run.id, "file": str(place), "size": size, "members": [path.name for path in members]}
    return Result(data=data, view=[f"{place}\n"], quiet=[str(place)])


def _check_stdout(board: Switchboard) -> None:
    if board.streams.stdout.terminal:
        raise UsageProblem("an archive is not written to a terminal", fix="-o FILE, or send stdout into a file or pipe")
    if board.manner.json:
        raise UsageProblem("--json and an archive do not both fit on stdout", fix="-o FILE")


def _write(place: Path, run: Run, members: list[Path]) -> int:
    """Whole or not at all, where it is a file; into a device or pipe as it comes."""
    if place.exists() and not place.is_file():
        with place.open("wb") as stream:
            _pack(stream, run, members)
        return 0
    unfinished = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as stream:
            _pack(stream, run, members)
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)
    return place.stat().st_size


def _pack(stream: BinaryIO, run: Run, members: list[Path]) -> None:
    with tarfile.open(fileobj=stream, mode="w|gz", format=tarfile.GNU_FORMAT) as archive:
        for path in members:
            archive.add(path, f"{run.id}/{path.name}", recursive=False, filter=_nobodys)


def _nobodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)
