"""Say what works on this machine and with these credentials, and what mends the rest.

--bundle makes a file for a bug report: this report, versions, settings and where they come from, the ends of the
engine's log and of the last runs' event logs. Secrets are masked in it; what commands printed is not in it.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from typer import Option

from mesabox.cli import _diagnosis
from mesabox.cli._diagnosis import Check
from mesabox.errors import ExitCode, Unsupported
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox doctor",
    "mesabox doctor --json | jq '.data.checks[] | select(.ok == false)'",
    "mesabox doctor -q",
    "mesabox doctor --bundle report.tar.gz",
)

_MARKS = {True: "ok", False: "FAIL", None: "-"}


async def command(
    board: Switchboard,
    bundle: Annotated[
        str | None, Option(metavar="FILE", help="Make a tar.gz for a bug report.", show_default=False)
    ] = None,
) -> Result:
    machine, cloud = await asyncio.gather(_diagnosis.machine(board), _diagnosis.cloud(board))
    local_works, cloud_works = bool(machine[0].ok), all(check.ok for check in cloud)
    others = [_diagnosis.engine(board), *cloud, *_diagnosis.paths(board)]
    checks = [_diagnosis.choice(board), *machine, *others]
    data: dict[str, Any] = {
        "works": {"local": local_works, "cloud": cloud_works},
        "checks": [asdict(check) for check in checks],
    }
    notes = [] if bundle is None else _bundled(board, bundle, data)
    worth_saying = checks if board.manner.verbose or not local_works else [*checks[:2], *others]
    return Result(
        data=board.redactor.value(data),
        view=[board.redactor.text("".join(_lines(worth_saying)))],
        quiet=[name for name, ok in (("local", local_works), ("cloud", cloud_works)) if ok],
        notes=notes,
        exit_code=ExitCode.OK if local_works or cloud_works else ExitCode.UNSUPPORTED,
        error=None if local_works or cloud_works else _nothing_works(checks),
    )


def _bundled(board: Switchboard, file: str, data: dict[str, Any]) -> list[str]:
    """Notes. ``data`` gains where the bundle is, and what is in it."""
    from mesabox.cli._bundle import write_bundle

    data["bundle"] = {"path": file, "files": write_bundle(board, file, dict(data))}
    return [f"wrote {file}: {len(data['bundle']['files'])} files, secrets masked; look into it before you send it"]


def _lines(checks: list[Check]) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{_MARKS[check.ok]:4}  {check.name:{width}}  {check.detail}\n"
        if check.fix and not check.ok:
            yield f"{'':4}  {'':{width}}  fix: {check.fix}\n"


def _nothing_works(checks: list[Check]) -> Unsupported:
    fix = next((check.fix for check in checks if check.ok is False and check.fix), "set credentials of both services")
    return Unsupported(
        "neither engine works here",
        why="this machine does not isolate, and there are no credentials that the cloud accepts",
        fix=fix,
    )
