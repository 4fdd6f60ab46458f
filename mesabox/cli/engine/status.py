"""Say whether the local engine runs, and what is in it."""

from mesabox.cli.engine._facts import facts_of, faults_of, faults_view, fields_of
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox engine status", "mesabox engine status -q", "mesabox engine status --json | jq .data.sprites")


async def command(board: Switchboard) -> Result:
    endpoint = board.engine.endpoint()
    status = await board.engine.status()
    if endpoint is None or status is None:
        text = "the engine is stopped; it starts by itself when a command needs it\n"
        return Result(data={"running": False}, view=[text], quiet=["stopped"])
    sprites = [(sprite["name"], sprite["status"]) for sprite in status["sprites"]]
    mounts = [(mount.get("sprite"), mount.get("repo"), mount.get("path")) for mount in status["mounts"]]
    faults = status.get("faults", {})
    inside = {"sprites": status["sprites"], "mounts": status["mounts"], "faults": faults_of(faults)}
    return Result(
        data={"running": True, **facts_of(endpoint), **inside},
        view=[
            fields_of(endpoint),
            *faults_view(faults),
            "\n",
            Table(("sprite", "status"), sprites, empty="no sprites"),
            Table(("sprite", "repo", "folder"), mounts, empty="no mounts"),
        ],
        quiet=["running"],
    )
