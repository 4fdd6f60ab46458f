"""Start the local engine, or change the faults of one that runs; one that runs already is fine."""

from collections.abc import Sequence
from typing import Annotated, Literal

from typer import Option

from mesabox.cli.engine._facts import facts_of, faults_of, faults_view, fields_of
from mesabox.errors import UsageProblem
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox engine start",
    "mesabox engine start --isolation none   # throw-away CI",
    "mesabox engine start --fault cut=0.3 --fault rate-limit=x2 --fault-seed 7",
    "mesabox engine start --fault none",
)


async def command(
    board: Switchboard,
    isolation: Annotated[
        Literal["auto", "none"] | None, Option(help="none: plain processes, no sandbox.", show_default=False)
    ] = None,
    fault: Annotated[
        list[str] | None,
        Option(
            "--fault",
            metavar="FAULT",
            help="NAME[=WHEN][:AMOUNT][@WHERE], and again for more; none: no fault any more. mesabox help faults",
            show_default=False,
        ),
    ] = None,
    fault_seed: Annotated[
        int | None, Option("--fault-seed", metavar="N", help="Repeat the faults of that seed.", show_default=False)
    ] = None,
) -> Result:
    faults = _checked(fault or (), fault_seed)
    board = board.with_settings(isolation=isolation) if isolation else board
    endpoint, started = await board.engine.ensure()
    notes = ["started the engine" if started else "the engine runs already"]
    if not fault:
        told = (await board.engine.status() or {}).get("faults", {}) if endpoint.faults else {}
    else:
        told = await board.engine.set_faults(faults, fault_seed)
        notes.append(f"faults on; repeat them with --fault-seed {told['seed']}" if faults else "no fault is on")
    return Result(
        data={**facts_of(endpoint), "started": started, "faults": faults_of(told)},
        view=[fields_of(endpoint), *faults_view(told)],
        quiet=[endpoint.url],
        notes=notes,
    )


def _checked(faults: Sequence[str], seed: int | None) -> list[str]:
    """Each as the engine writes it; ``none`` alone is none of them."""
    from mesabox.wire.faults import Fault

    if seed is not None and not faults:
        raise UsageProblem("--fault-seed says nothing without --fault", fix="mesabox help faults")
    if "none" in faults:
        if len(faults) > 1:
            raise UsageProblem("--fault none leaves no other fault", fix="name the faults without it")
        return []
    try:
        return [str(Fault.parse(text)) for text in faults]
    except ValueError as error:
        raise UsageProblem(f"--fault: {error}", fix="mesabox help faults") from None
