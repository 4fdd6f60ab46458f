"""Flags used twice: those every command takes, and those several commands share."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from typer import Argument, Context, Option

from mesabox.ui.result import Manner

EngineName = Literal["auto", "local", "cloud"]


class HelpWanted(Exception):
    """``--help`` was met while parsing. text: the help, ready to print."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def _help(context: Context, wanted: bool) -> None:
    if wanted:
        raise HelpWanted(context.get_help())


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What every command takes, before or after its name."""

    engine: Annotated[EngineName | None, Option(help="Which service answers.", show_default=False)] = None
    json: Annotated[bool, Option("--json", help="One JSON object on stdout.")] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print ids or the value only.")] = False
    verbose: Annotated[bool, Option("--verbose", "-v", help="Say more: each request to a service.")] = False
    debug: Annotated[bool, Option("--debug", help="Show tracebacks.")] = False
    no_color: Annotated[bool, Option("--no-color", help="No colour.")] = False
    no_input: Annotated[bool, Option("--no-input", help="Never ask.")] = False
    help: Annotated[
        bool, Option("--help", "-h", help="Show this and exit.", is_eager=True, callback=_help, expose_value=False)
    ] = False

    def over(self, outer: "Flags") -> "Flags":
        """These, with what only the outer ones set: ``mesabox --json repo list`` is ``mesabox repo list --json``."""
        return Flags(**{name: getattr(self, name) or getattr(outer, name) for name in EXPOSED})

    def manner(self) -> Manner:
        return Manner(json=self.json, quiet=self.quiet, verbose=self.verbose, debug=self.debug)

    def settings(self) -> dict[str, Any]:
        """The settings among them."""
        return {} if self.engine is None else {"engine": self.engine}

    @classmethod
    def glimpse(cls, words: list[str]) -> "Flags":
        """What can be told without parsing, so that a usage error is answered in the form asked for."""
        ours = words[: words.index("--")] if "--" in words else words
        return cls(json="--json" in ours, debug="--debug" in ours, no_color="--no-color" in ours)


Ndjson = Annotated[bool, Option("--ndjson", help="One event a line on stdout, as it happens.")]
Events = Annotated[
    str | None, Option("--events", metavar="FILE", help="Write the events to a file.", show_default=False)
]
"""Of the commands with ``TELLS_EVENTS``."""

EXPOSED = tuple(field.name for field in fields(Flags) if field.name != "help")

RepoName = Annotated[str, Argument(metavar="REPO", help="The repo's name.", show_default=False)]
SpriteName = Annotated[str, Argument(metavar="SPRITE", help="The sprite's name.", show_default=False)]
