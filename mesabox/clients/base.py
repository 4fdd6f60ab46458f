"""What the rest of the house knows of the services: value types, and the two protocols a provider fulfils.

Times are aware datetimes in UTC; sizes are bytes; durations are seconds. Every method may raise MesaboxError kinds.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from mesabox.wire.execution import ExecRequest

Scope = Literal["read", "write", "admin"]


class Secret:
    """A text that prints as ``***``; ``reveal()`` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a Mesa credential is: the organization's slug, and what it may do."""

    org: str
    org_id: str
    scopes: tuple[str, ...]
    key_id: str | None = None
    key_name: str | None = None


@dataclass(frozen=True, slots=True)
class Repo:
    id: str
    org: str
    name: str
    default_bookmark: str
    head_change_id: str
    created_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key. ``secret`` is there at creation only; ``id`` is empty for a locally signed token."""

    id: str
    name: str | None
    scopes: tuple[str, ...]
    repo_ids: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    secret: Secret | None = None
    revocable: bool = True

    @classmethod
    def held(cls, secret: Secret, *, revocable: bool) -> "Key":
        """One that somebody else made: nothing is known of it but the secret."""
        return cls("", None, (), None, datetime.now(UTC), secret=secret, revocable=revocable)


@dataclass(frozen=True, slots=True)
class Bookmark:
    name: str
    change_id: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Change:
    """files and conflicts are filled by ``change`` only, not by ``changes``."""

    id: str
    commit_oid: str
    message: str
    author: str
    parents: tuple[str, ...]
    is_conflicted: bool
    created_at: datetime
    updated_at: datetime
    files: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiffEntry:
    """status: added | modified | deleted | renamed. Counts are lines; None where the service left the hunks out.

    size: bytes of the larger version, where the service tells.
    """

    path: str
    status: str
    old_path: str | None
    additions: int | None
    deletions: int | None
    omitted_reason: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Diff:
    base_change_id: str
    head_change_id: str
    entries: tuple[DiffEntry, ...]
    additions: int
    deletions: int
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a folder in a repo. type: file | dir | symlink; mode: 100644, 100755, 120000 or None for a dir."""

    path: str
    type: str
    sha: str
    size: int | None = None
    mode: str | None = None


class RepoHost(Protocol):
    """A versioned repo service (Mesa)."""

    async def whoami(self) -> Identity: ...
    async def org(self) -> str: ...
    async def create_repo(
        self, name: str | None, *, default_bookmark: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Repo: ...
    async def repo(self, name: str) -> Repo: ...
    def repos(self) -> AsyncIterator[Repo]: ...
    async def delete_repo(self, name: str) -> None: ...
    async def mint_key(
        self,
        *,
        name: str,
        scopes: Sequence[str],
        ttl: float | None,
        repos: Sequence[Repo] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Key:
        """An API key, or with private-key credentials a signed access token (``revocable`` False)."""
        ...

    def keys(self) -> AsyncIterator[Key]: ...
    async def revoke_key(self, key_id: str) -> None:
        """NotFound when there is no such key; a key revoked already is fine."""
        ...

    def bookmarks(self, repo: str) -> AsyncIterator[Bookmark]: ...
    async def bookmark(self, repo: str, name: str) -> Bookmark: ...
    async def create_bookmark(self, repo: str, name: str, change_id: str) -> Bookmark: ...
    async def move_bookmark(
        self, repo: str, name: str, change_id: str, *, allow_backwards: bool = False
    ) -> Bookmark: ...
    async def delete_bookmark(self, repo: str, name: str) -> None: ...
    def changes(self, repo: str, *, bookmark: str | None = None) -> AsyncIterator[Change]: ...
    async def change(self, repo: str, change_id: str) -> Change: ...
    async def create_change(
        self, repo: str, base_change_id: str, *, message: str = "", files: Sequence[Mapping[str, Any]] = ()
    ) -> Change: ...
    async def read_file(self, repo: str, path: str, *, change_id: str | None = None) -> bytes: ...
    async def tree(
        self, repo: str, path: str = "", *, change_id: str | None = None, depth: int = 1
    ) -> list[TreeEntry]: ...
    async def diff(self, repo: str, base: str, head: str) -> Diff: ...
    async def update_change(self, repo: str, change_id: str, *, files: Sequence[Mapping[str, Any]]) -> Change:
        """The change with these files put into it, or deleted; its descendants follow."""
        ...

    async def patch(self, repo: str, base: str, head: str) -> bytes:
        """The unified diff as the service writes it: contents byte for byte, binary files only named."""
        ...

    async def request(self, method: str, path: str, **options: Any) -> Any: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Sprite:
    """status: cold | warm | running."""

    name: str
    id: str
    status: str
    url: str
    organization: str
    created_at: datetime
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    command: str
    workdir: str
    tty: bool
    is_active: bool
    created: datetime | None
    last_activity: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    id: str
    created_at: datetime | None
    comment: str = ""
    is_auto: bool = False


@dataclass(frozen=True, slots=True)
class FileEntry:
    """type: file | directory | symlink; mode as ``0644``."""

    name: str
    path: str
    type: str
    size: int
    mode: str
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of a command's output. stream: 1 stdout (also a TTY's), 2 stderr."""

    stream: int
    data: bytes


class Execution(Protocol):
    """A running command; an async context manager. Iterate it for Output; afterwards ``exit_code`` is known.

    Iteration ends at the exit frame, without waiting for the server's close. A connection that ends before it raises
    OutcomeUnknown: never a guess.
    """

    @property
    def session_id(self) -> str | None: ...
    @property
    def exit_code(self) -> int | None: ...
    async def __aenter__(self) -> "Execution": ...
    async def __aexit__(self, *exc: object) -> None: ...
    def __aiter__(self) -> AsyncIterator[Output]: ...
    async def write(self, data: bytes) -> None:
        """stdin bytes; returns when the transport took them (back-pressure)."""
        ...

    async def close_stdin(self) -> None: ...
    async def resize(self, rows: int, cols: int) -> None: ...
    async def signal(self, name: str) -> None:
        """``INT``, ``TERM``, ...: by a signal frame where the service takes them, else by the kill endpoint."""
        ...


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished short command, collected whole."""

    exit_code: int
    stdout: bytes
    stderr: bytes


Tail = Callable[[], float]
"""Asked when the exit is told: the seconds for which output may still be on its way."""


def no_tail() -> float:
    return 0.0


class SandboxHost(Protocol):
    """A service of stateful sandboxes (Sprites)."""

    async def create_sprite(self, name: str, *, labels: Sequence[str] = ()) -> Sprite: ...
    async def sprite(self, name: str) -> Sprite: ...
    def sprites(self, *, prefix: str = "") -> AsyncIterator[Sprite]: ...
    async def destroy_sprite(self, name: str) -> None: ...
    def execute(self, sprite: str, request: ExecRequest, *, tail: Tail = no_tail) -> Execution:
        """tail: how long output that comes after the exit is taken in, unless the service closes before."""
        ...

    def attach(self, sprite: str, session_id: str) -> Execution: ...
    async def run(self, sprite: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """A short command to its end, its output collected; never retried once the socket is up."""
        ...

    async def sessions(self, sprite: str) -> list[Session]: ...
    async def kill_session(
        self, sprite: str, session_id: str, *, signal: str = "TERM", timeout: float = 10.0
    ) -> None: ...
    def read_file(self, sprite: str, path: str) -> AsyncIterator[bytes]: ...
    async def write_file(
        self, sprite: str, path: str, data: bytes | AsyncIterator[bytes], *, mode: str | None = None
    ) -> None: ...
    async def list_files(self, sprite: str, path: str) -> list[FileEntry]: ...
    async def create_checkpoint(self, sprite: str, comment: str = "") -> str: ...
    async def checkpoints(self, sprite: str) -> list[Checkpoint]: ...
    async def restore_checkpoint(self, sprite: str, checkpoint_id: str) -> None: ...
    async def request(self, method: str, path: str, **options: Any) -> Any: ...
    async def aclose(self) -> None: ...
