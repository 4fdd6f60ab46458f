"""Print the local engine's log."""

import time
from collections import deque
from typing import Annotated, BinaryIO

from typer import Option

from mesabox.errors import NotFound
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox engine logs", "mesabox engine logs -n 20", "mesabox engine logs -f")

_LOOK_AGAIN_SECONDS = 0.2


def command(
    board: Switchboard,
    lines: Annotated[int, Option("--lines", "-n", min=0, help="So many from the end.")] = 200,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> Result:
    path = board.engine.log
    if not path.exists():
        raise NotFound("there is no log yet", why="the engine has not been started here", fix="mesabox engine start")
    with path.open("rb") as log:
        last = list(deque(log, maxlen=lines))
        if follow and not board.manner.json:
            board.streams.stdout.write(b"".join(last))
            _follow(log, board)
    texts = [line.decode("utf-8", "replace").rstrip("\n") for line in last]
    return Result(data={"path": str(path), "lines": texts}, view=[b"".join(last)], quiet=texts)


def _follow(log: BinaryIO, board: Switchboard) -> None:
    while True:
        if piece := log.read():
            board.streams.stdout.write(piece)
        else:
            time.sleep(_LOOK_AGAIN_SECONDS)
