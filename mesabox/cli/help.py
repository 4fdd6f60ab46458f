"""Explain a command or a topic: ci, config, engine, environment, exit-codes, faults, output."""

from typing import Annotated

from typer import Argument

from mesabox.cli._topics import TOPICS
from mesabox.cli._tree import help_of
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = ("mesabox help exit-codes", "mesabox help environment", "mesabox help repo create")


def command(
    _: Switchboard,
    words: Annotated[
        list[str] | None, Argument(metavar="[TOPIC|COMMAND]", show_default=False, help="About it.")
    ] = None,
) -> Result:
    """A topic goes before a group of the same name, whose own help is ``mesabox engine --help``."""
    topic = TOPICS.get(" ".join(words or ()))
    text = topic() if topic else help_of(words or []) + "\n"
    return Result(data={"help": text}, view=[text], quiet=[text.rstrip("\n")])
