"""A running engine as commands show it: without what opens it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from mesabox.ui.result import Block, Fields, Table


class Endpoint(Protocol):
    """What a running engine says of itself."""

    @property
    def pid(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def org(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def isolated(self) -> bool: ...
    @property
    def started_at(self) -> float: ...


def facts_of(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "pid": endpoint.pid,
        "org": endpoint.org,
        "version": endpoint.version,
        "isolated": endpoint.isolated,
        "tier": endpoint.tier,
        "started_at": datetime.fromtimestamp(endpoint.started_at, UTC),
    }


def fields_of(endpoint: Endpoint) -> Fields:
    facts = facts_of(endpoint)
    walls = f"yes ({facts.pop('tier')})" if facts.pop("isolated") else "NO: commands are plain processes"
    return Fields([*facts.items(), ("isolation", walls)])


def faults_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The faults that are on and how often each has fired, as the commands' data tell it."""
    return {"seed": told.get("seed"), "on": list(told.get("faults", ()))}


def faults_view(told: Mapping[str, Any]) -> Sequence[Block]:
    """Empty when none is on."""
    rows = [(one["fault"], one["fired"]) for one in told.get("faults", ())]
    if not rows:
        return []
    return ["\n", Fields([("fault seed", told["seed"])]), Table(("fault", "fired"), rows, empty="")]
