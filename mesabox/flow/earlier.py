"""What a run came to before it is gone on with: read from its record, and looked at again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mesabox.clients.base import Key, RepoHost, TreeEntry
from mesabox.errors import MesaboxError
from mesabox.flow.collect import Base
from mesabox.flow.record.runs import Resource, Run

Event = Mapping[str, Any]
_STILL_USEFUL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Earlier:
    """run: the record as it was when it was opened again. other_command: another one is to run now."""

    run: Run
    other_command: bool = False

    def resource(self, kind: str) -> Resource | None:
        """The last one of a kind that was made for certain and is not removed."""
        left = [one for one in self.run.leftovers() if one.kind == kind and one.certain]
        return left[-1] if left else None

    async def key(self, repos: RepoHost, limit: float | None) -> Key | None:
        """The key of then, if it still lives long enough. Its secret is known to the sprite alone."""
        if (made := self.resource("key")) is None:
            return None
        until = datetime.now(UTC) + timedelta(seconds=limit or 0) + _STILL_USEFUL
        async for key in repos.keys():
            if key.id == made.id:
                lives = key.revoked_at is None and (key.expires_at is None or key.expires_at > until)
                return key if lives else None
        return None

    def base(self) -> Base | None:
        """The state that the run began from, as it was noted then."""
        noted = self.run.last("base")
        if not noted:
            return None
        tree = noted.get("tree")
        entries = None if tree is None else {path: TreeEntry(path, *facts) for path, facts in tree.items()}
        return Base(noted["bookmark"], noted["change_id"], noted["commit_oid"], entries)

    @property
    def seeded(self) -> bool:
        return bool(self.run.last("seeded"))

    @property
    def place(self) -> str | None:
        """The command's name in the sprite, once it may have begun; None when its end is known, when a signal to
        mesabox ended it, or when it was on a terminal, of which nothing is kept.
        """
        told, end = self._last_of("command", "exit"), self._last_of("command", "end")
        unknown = told.get("type") == "command" and not told["tty"] and end.get("failed_by") != "signal"
        return str(told["place"]) if unknown and not self.other_command else None

    @property
    def takes_input(self) -> bool:
        """Whether that command waits for the end of an input."""
        return bool(self.run.last("command").get("stdin"))

    @property
    def masked(self) -> bool:
        """Whether the record has the command without the secrets that are among its words."""
        return bool(self.run.start.get("masked"))

    @property
    def exit(self) -> Event:
        """The command's end, where it is not run again: it ended well, or what cut the run off came after it."""
        told = self.run.last("exit")
        done = told.get("exit_code") == 0 or self._last_of("command", "exit", "end").get("type") == "exit"
        return told if done and not self.other_command else {}

    def _last_of(self, *types: str) -> Event:
        return next((event for event in reversed(self.run.events) if event["type"] in types), {})

    @property
    def commands(self) -> int:
        """How many were begun."""
        return sum(event["type"] == "command" for event in self.run.events)


def base_facts(base: Base) -> dict[str, object]:
    """For the record."""
    tree = None if base.tree is None else {path: _facts(entry) for path, entry in base.tree.items()}
    return {"bookmark": base.bookmark, "change_id": base.change_id, "commit_oid": base.commit_oid, "tree": tree}


def _facts(entry: TreeEntry) -> list[object]:
    return [entry.type, entry.sha, entry.size, entry.mode]


def is_no_credential(error: MesaboxError) -> bool:
    """Mounting again failed since the sprite has no credential, or one that has ended."""
    return error.code in ("mount_failed", "mount_silent")
