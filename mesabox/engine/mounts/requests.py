"""What the in-sprite ``mesa`` asks for, checked: it is the sandbox that speaks here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesabox.wire.mesa import parse_change_id


class Refused(Exception):
    """A request that is not fulfilled; the message is for the person at the command, exit its exit code."""

    def __init__(self, message: str, exit: int = 1) -> None:
        super().__init__(message)
        self.exit = exit


@dataclass(frozen=True, slots=True)
class Revision:
    """Where a repo is opened: at a bookmark, at a change, or with neither at the default bookmark."""

    bookmark: str | None = None
    change_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Revision":
        """``bookmark:<name>`` or ``change-id:<id>``."""
        kind, _, value = text.partition(":")
        if kind == "bookmark" and value:
            return cls(bookmark=value)
        if kind == "change-id":
            try:
                return cls(change_id=parse_change_id(value))
            except ValueError as error:
                raise Refused(f"revision '{text}': {error}", 2) from None
        raise Refused(f"revision '{text}' is not bookmark:<name> or change-id:<id>", 2)


@dataclass(frozen=True, slots=True)
class OrgRequest:
    """org None: whichever the credential belongs to. only None: every repo that the credential may read."""

    org: str | None
    credential: str
    only: tuple[str, ...] | None
    revisions: Mapping[str, Revision]

    def __repr__(self) -> str:
        return f"OrgRequest({self.org}, ***, {self.only})"


@dataclass(frozen=True, slots=True)
class MountRequest:
    """mount_point: an absolute path inside the sandbox."""

    mount_point: str
    orgs: tuple[OrgRequest, ...]


def mount_request(request: Mapping[str, Any]) -> MountRequest:
    """``{"mount_point": str, "orgs": [{"org", "credential", "only": [name]|null, "revisions": {name: text}}]}``."""
    mount_point = request.get("mount_point")
    if not isinstance(mount_point, str) or not mount_point.startswith("/") or "\0" in mount_point:
        raise Refused("the mount point must be an absolute path", 2)
    return MountRequest(mount_point.rstrip("/"), tuple(_org(item) for item in _list(request.get("orgs"))))


def credentials(request: Mapping[str, Any]) -> tuple[OrgRequest, ...]:
    return tuple(_org(item) for item in _list(request.get("orgs")))


def _org(item: object) -> OrgRequest:
    if not isinstance(item, dict):
        raise Refused("an organization is an object", 2)
    org, credential, only = item.get("org"), item.get("credential"), item.get("only")
    if not isinstance(credential, str) or not credential or not isinstance(org, str | None):
        raise Refused("an organization needs a credential", 2)
    names = None if only is None else tuple(_text(name) for name in _list(only))
    revisions = item.get("revisions") or {}
    if not isinstance(revisions, dict):
        raise Refused("revisions is an object", 2)
    pinned = {name: Revision.parse(_text(text)) for name, text in revisions.items()}
    return OrgRequest(org or None, credential, names, pinned)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("a list was expected", 2)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Refused("a text was expected", 2)
    return value
