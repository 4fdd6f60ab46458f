"""Show one run: what it ran, what changed, what is left of it."""

from mesabox.cli._runs import RunId, facts_of, run_called
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Fields, Result

EXAMPLES = ("mesabox runs show last", "mesabox runs show 261123-151544-k3f9 --json")


def command(board: Switchboard, run_id: RunId) -> Result:
    run = run_called(board, run_id)
    facts = facts_of(run)
    files = [f"{file['status']} {file['path']}" for file in facts["files"]]
    left = [f"{resource['kind']} {resource['name']}" for resource in facts["left"]]
    shown = {**facts, "files": files, "left": left}
    pairs = [(name.replace("_", " "), value) for name, value in shown.items() if value not in (None, [], "")]
    return Result(data={**facts, "events": list(run.events)}, view=[Fields(pairs)], quiet=[run.id])
