"""Show where things live."""

from mesabox.switchboard import Switchboard
from mesabox.ui.result import Fields, Result

EXAMPLES = ("mesabox config path", 'cat "$(mesabox config path -q)"')


def command(board: Switchboard) -> Result:
    paths = board.paths
    places = {
        "config": paths.config,
        "project": paths.project,
        "state": paths.state,
        "cache": paths.cache,
        "runtime": paths.runtime,
    }
    data = {name: None if path is None else str(path) for name, path in places.items()}
    return Result(data=data, view=[Fields(list(data.items()))], quiet=[str(paths.config)])
