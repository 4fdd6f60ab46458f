"""Show which credentials there are, where each comes from, and which engine they lead to; none is shown itself."""

from typing import Any

from mesabox.config.credentials import MESA_VARIABLES, SPRITES_VARIABLES
from mesabox.config.stored import SERVICES, Service
from mesabox.errors import MesaboxError
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = ("mesabox auth status", "mesabox auth status --json", "mesabox doctor   # asks the services, too")

_VARIABLES = {"mesa": MESA_VARIABLES, "sprites": SPRITES_VARIABLES}


def command(board: Switchboard) -> Result:
    found = [fact for service in SERVICES for fact in _facts(board, service)]
    rows = [(fact["service"], fact["source"], fact["where"], "yes" if fact["used"] else "no") for fact in found]
    engine, why = _engine(board)
    return Result(
        data={"credentials": found, "engine": engine},
        view=[
            Table(("service", "source", "where", "used"), rows, empty="no credentials; mesabox auth login keeps one")
        ],
        quiet=[fact["service"] for fact in found if fact["used"]],
        notes=[f"engine: {engine or 'none'} ({why})"],
    )


def _facts(board: Switchboard, service: Service) -> list[dict[str, Any]]:
    """In the order of precedence."""
    environ = board.local_environment()
    named = [("environment", name) for name in _VARIABLES[service] if environ.get(name)]
    place = board.stored.places().get(service)
    kept = [(place, str(board.paths.credentials) if place == "file" else "the OS keyring")] if place else []
    return [
        {"service": service, "source": source, "where": where, "used": position == 0}
        for position, (source, where) in enumerate([*named, *kept])
    ]


def _engine(board: Switchboard) -> tuple[str | None, str]:
    try:
        choice = board.choice()
    except MesaboxError as error:
        return None, error.what
    return choice.name, choice.why
