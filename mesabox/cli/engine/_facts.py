"""A running engine as commands show it: without what opens it."""

from datetime import UTC, datetime
from typing import Any, Protocol

from mesabox.ui.result import Fields


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
