"""Print what a run's command printed: stdout on stdout, stderr on stderr."""

from typing import Annotated, Any, Literal

from typer import Option

from mesabox.cli._runs import RunId, run_called
from mesabox.cli._times import moment
from mesabox.errors import NotFound, UsageProblem
from mesabox.flow.record.replay import always, never, replay
from mesabox.flow.record.runs import Run
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result
from mesabox.ui.telling import Teller

EXAMPLES = (
    "mesabox runs logs last",
    "mesabox runs logs last --follow",
    "mesabox runs logs last --stream stderr",
    "mesabox runs logs 261123-151544-k3f9 --follow --ndjson --after 120",
)


async def command(
    board: Switchboard,
    run_id: RunId,
    stream: Annotated[Literal["both", "stdout", "stderr"], Option(help="Which of the two.")] = "both",
    follow: Annotated[bool, Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    after: Annotated[int, Option(metavar="SEQ", help="Only what came after this event.", min=0)] = 0,
    since: Annotated[
        str | None,
        Option(metavar="TIME", help="Only from then on: 10m (ago), or 2026-11-25T10:00.", show_default=False),
    ] = None,
    ndjson: Annotated[bool, Option("--ndjson", help="Every event of the run, one a line.")] = False,
) -> Result:
    run = run_called(board, run_id)
    if not follow and not run.alive and not run.last("command") and not ndjson:
        raise NotFound(f"run '{run.id}' has no output on record", why="its command never started")
    if ndjson and board.manner.json:
        raise UsageProblem("--json is one object, --ndjson one a line", fix="give one of them")
    last = after
    with Teller(board.streams, lines=ndjson, kept=board.manner.json) as teller:
        async for event in replay(run.folder, after=after, since=moment(since), follow=always if follow else never):
            last = event["seq"]
            if event["type"] != "output" or stream in ("both", event["stream"]):
                teller.event(event)
    return Result(data=_data(run, stream, last, teller))


def _data(run: Run, stream: str, last: int, teller: Teller) -> dict[str, Any]:
    """``output`` is the one stream that was asked for, else stdout; both have fields of their names, too."""
    one = "stdout" if stream == "both" else stream
    fields = teller.fields("stdout", "stderr")
    output = {name.replace(one, "output"): value for name, value in fields.items() if name.startswith(one)}
    return {"run_id": run.id, "stream": one, "last_seq": last, **fields, **output}
