"""Write a config.toml with every setting, commented out."""

from mesabox.config.starter import starter
from mesabox.errors import Conflict
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox config init", 'mesabox config init && $EDITOR "$(mesabox config path -q)"')


def command(board: Switchboard) -> Result:
    path = board.paths.config
    if path.exists():
        raise Conflict(f"{path} exists already", why="it is not overwritten", fix=f"edit or move {path}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(starter(), encoding="utf-8")
    return Result(data={"path": str(path)}, view=[f"{path}\n"], quiet=[str(path)], notes=["wrote the file"])
