"""What cannot be undone is asked about, or wants ``--yes``."""

from typing import Annotated

from typer import Option

from mesabox.errors import Failed, UsageProblem
from mesabox.switchboard import Switchboard

Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask.")]


def make_sure(board: Switchboard, yes: bool, question: str) -> None:
    """question: "Delete repo x?". UsageProblem where nobody can be asked, Failed for a no."""
    if yes:
        return
    if not board.streams.may_ask:
        raise UsageProblem(
            "this cannot be undone, and nobody can be asked", why=question, fix="say that you mean it: --yes"
        )
    if not board.streams.ask(f"{question} [y/N] "):
        raise Failed("nothing was done", why="the answer was no", code="declined")
