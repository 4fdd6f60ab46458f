"""Say what works on this machine and with these credentials, and what mends the rest."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict

from mesabox.cli import _diagnosis
from mesabox.cli._diagnosis import Check
from mesabox.errors import ExitCode, Unsupported
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox doctor", "mesabox doctor --json | jq '.data.checks[] | select(.ok == false)'", "mesabox doctor -q")

_MARKS = {True: "ok", False: "FAIL", None: "-"}


async def command(board: Switchboard) -> Result:
    machine, cloud = await asyncio.gather(_diagnosis.machine(board), _diagnosis.cloud(board))
    local_works, cloud_works = bool(machine[0].ok), all(check.ok for check in cloud)
    others = [_diagnosis.engine(board), *cloud, *_diagnosis.paths(board)]
    checks = [_diagnosis.choice(board), *machine, *others]
    worth_saying = checks if board.manner.verbose or not local_works else [*checks[:2], *others]
    return Result(
        data={"works": {"local": local_works, "cloud": cloud_works}, "checks": [asdict(check) for check in checks]},
        view=["".join(_lines(worth_saying))],
        quiet=[name for name, ok in (("local", local_works), ("cloud", cloud_works)) if ok],
        exit_code=ExitCode.OK if local_works or cloud_works else ExitCode.UNSUPPORTED,
        error=None if local_works or cloud_works else _nothing_works(checks),
    )


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
