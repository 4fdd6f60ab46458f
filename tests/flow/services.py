"""Both services in memory, with a switch for each call that should fail."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mesabox.clients.base import (
    Bookmark,
    Change,
    Diff,
    DiffEntry,
    Key,
    Output,
    Repo,
    Secret,
    Sprite,
    TreeEntry,
)
from mesabox.errors import Conflict, NotFound, ServiceError
from mesabox.wire.execution import ExecRequest

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FOLDER = "/home/sprite/.local/share/mesa/mnt/my-org/work"


def answered(request: ExecRequest, said: bytes) -> bytes:
    """What a script that ``flow/running/asking.py`` asks has on its stdout."""
    mark = request.argv[3].encode()
    return mark + b"\n" + said + mark + b"0\n"


@dataclass
class World:
    """calls: what was asked, in order. broken: calls that fail. unanswered: those that fail once done."""

    calls: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    repos: dict[str, Repo] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    sprites: dict[str, Sprite] = field(default_factory=dict)
    commit: str = "0" * 40
    exit_code: int = 0

    def asked(self, name: str) -> None:
        self.calls.append(name)
        if name in self.broken:
            raise ServiceError(f"{name} is broken")

    def answered(self, name: str) -> None:
        if name in self.unanswered:
            raise ServiceError(f"{name} was done, and its answer lost")

    @property
    def live_keys(self) -> list[str]:
        return [key.name for key in self.keys.values() if key.revoked_at is None]


class FakeRepos:
    def __init__(self, world: World) -> None:
        self.world = world

    async def repo(self, name: str) -> Repo:
        self.world.asked("repo")
        if name not in self.world.repos:
            raise NotFound(name)
        return self.world.repos[name]

    async def create_repo(self, name: str, **_: object) -> Repo:
        self.world.asked("create_repo")
        if name in self.world.repos:
            raise Conflict(name)
        self.world.repos[name] = Repo(f"id-{name}", "my-org", name, "main", "k" * 32, NOW)
        self.world.answered("create_repo")
        return self.world.repos[name]

    async def mint_key(
        self, *, name: str, scopes: list[str], ttl: float, repos: list[Repo], tags: dict[str, str]
    ) -> Key:
        self.world.asked("mint_key")
        key = Key(f"key-{len(self.world.keys)}", name, tuple(scopes), tuple(r.id for r in repos), NOW, tags=tags)
        self.world.keys[key.id] = key
        self.world.answered("mint_key")
        return replace(key, secret=Secret("mesa_secret"))

    async def keys(self) -> AsyncIterator[Key]:
        for key in list(self.world.keys.values()):
            yield key

    async def revoke_key(self, key_id: str) -> None:
        self.world.asked("revoke_key")
        self.world.keys[key_id] = replace(self.world.keys[key_id], revoked_at=NOW)

    async def bookmark(self, repo: str, name: str) -> Bookmark:
        self.world.asked("bookmark")
        return Bookmark(name, "k" * 32, True)

    async def change(self, repo: str, change_id: str) -> Change:
        self.world.asked("change")
        return Change(change_id, self.world.commit, "", "me", (), False, NOW, NOW)

    async def tree(self, repo: str, path: str = "", *, change_id: str, depth: int = 1) -> list[TreeEntry]:
        return [TreeEntry("made", "file", "a" * 40, 3, "100644")]

    async def diff(self, repo: str, base: str, head: str) -> Diff:
        entries = () if base == head else (DiffEntry("made", "added", None, 1, 0),)
        return Diff(base, head, entries, len(entries), 0)

    async def patch(self, repo: str, base: str, head: str) -> bytes:
        return b"diff --git a/made b/made\nnew file mode 100644\n--- /dev/null\n+++ b/made\n@@ -0,0 +1 @@\n+x\n"


class FakeSandboxes:
    def __init__(self, world: World) -> None:
        self.world = world

    async def create_sprite(self, name: str, *, labels: list[str]) -> Sprite:
        self.world.asked("create_sprite")
        if name in self.world.sprites:
            raise Conflict(name)
        self.world.sprites[name] = Sprite(name, f"id-{name}", "cold", "", "my-org", NOW, tuple(labels))
        self.world.answered("create_sprite")
        return self.world.sprites[name]

    async def sprite(self, name: str) -> Sprite:
        if name not in self.world.sprites:
            raise NotFound(name)
        return self.world.sprites[name]

    async def destroy_sprite(self, name: str) -> None:
        self.world.asked("destroy_sprite")
        if name not in self.world.sprites:
            raise NotFound(name)
        del self.world.sprites[name]

    def execute(self, sprite: str, request: ExecRequest, *, tail: float = 0.0) -> "FakeExecution":
        """A job of ``inside/job.sh``, or a script that is asked (``flow/running/asking.py``)."""
        if "start" in request.argv:
            self.world.asked("execute")
            return FakeExecution(self._job(request.argv[6].encode()), self.world.exit_code)
        name = next((word for word in _MARKS if _MARKS[word] in request.argv[6]), "signal")
        self.world.asked(name)
        said = f"rw {FOLDER}\n".encode() if name == "mount" else b""
        self.world.answered(name)
        return FakeExecution(iter([Output(1, answered(request, said))]))

    def _job(self, mark: bytes) -> Iterator[Output]:
        yield Output(2, mark + b"begun\n")
        yield Output(1, b"out\n")
        self.world.commit = "1" * 40
        self.world.answered("execute")
        yield Output(2, mark + b"end %d 4 0 exited\n" % self.world.exit_code)


_MARKS = {
    "prepare": "mesa is not on PATH",
    "mount": "mesa mount -d -y",
    "signal": 'exec sh "',
    "written": "-newer",
    "unmount": "mesa unmount",
}


class FakeExecution:
    session_id = "1"

    def __init__(self, outputs: Iterator[Output], exit_code: int = 0) -> None:
        self.outputs = outputs
        self.ends_with = exit_code
        self.exit_code: int | None = None
        self.signals: list[str] = []

    async def __aenter__(self) -> "FakeExecution":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def __aiter__(self) -> AsyncIterator[Output]:
        for output in self.outputs:
            yield output
        self.exit_code = self.ends_with

    async def write(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    async def resize(self, rows: int, cols: int) -> None: ...
    async def signal(self, name: str) -> None:
        self.signals.append(name)
