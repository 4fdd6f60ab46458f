"""What a run came to before it is gone on with: read from its record, and looked at again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mesabox.clients.base import Key, RepoHost, TreeEntry
from mesabox.errors import MesaboxError
from mesabox.flow.collect import Base
from mesabox.flow.ledger import Resource, Run

_STILL_USEFUL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Earlier:
    """run: the record as it was when it was opened again."""

    run: Run

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
        """The command's name in the sprite, once it may have begun; None when its end is known, or when it was on a
        terminal, of which nothing is kept.
        """
        events = [event for event in self.run.events if event["type"] in ("command", "exit")]
        unknown = bool(events) and events[-1]["type"] == "command" and not events[-1]["tty"]
        return str(events[-1]["place"]) if unknown else None

    @property
    def succeeded(self) -> bool:
        """The command ended well; what failed came after it."""
        return self.run.last("exit").get("exit_code") == 0

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
