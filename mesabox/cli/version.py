"""Print the version."""

import platform

from mesabox import __version__
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox version", "mesabox version --json", "mesabox --version")


def command(_: Switchboard) -> Result:
    data = {"mesabox": __version__, "python": platform.python_version(), "platform": platform.platform()}
    return Result(data=data, view=[f"mesabox {__version__}\n"], quiet=[__version__])
