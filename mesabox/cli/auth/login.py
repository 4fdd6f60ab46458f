"""Keep a credential: in the OS keyring where there is one, else in a file only you can read.

It is typed unseen, or read from stdin with --with-token; never from the command line. A variable of the environment
goes before what is kept.
"""

from typing import Annotated

from typer import Argument, Option

from mesabox.config.stored import Service, checked
from mesabox.errors import UsageProblem
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result

EXAMPLES = (
    "mesabox auth login sprites",
    "mesabox auth login mesa --with-token < key.txt",
    "pass show sprites | mesabox auth login sprites --with-token",
)


def command(
    board: Switchboard,
    service: Annotated[Service, Argument(metavar="SERVICE", help="mesa or sprites.", show_default=False)],
    with_token: Annotated[bool, Option("--with-token", help="Read it from stdin.")] = False,
) -> Result:
    secret = checked(service, _given(board, service, with_token))
    board.redactor.learn(secret, announce=True)
    place = board.stored.keep(service, secret)
    where = "the OS keyring" if place == "keyring" else str(board.paths.credentials)
    notes = [f"the {service} credential is kept in {where}"]
    if place == "file":
        notes.append("no OS keyring works here: it is a plain file, readable by you alone (0600)")
    return Result(data={"service": service, "kept_in": place}, notes=[*notes, "try it: mesabox doctor"])


def _given(board: Switchboard, service: Service, with_token: bool) -> str:
    streams = board.streams
    if with_token and not streams.stdin_terminal:
        return streams.stdin.read().decode("utf-8", "replace")
    if not streams.may_ask:
        fix = f"mesabox auth login {service} --with-token < FILE"
        raise UsageProblem("the credential is read from stdin here", why="nobody can be asked for it", fix=fix)
    return streams.ask_secret(f"{service} credential (not shown): ")
