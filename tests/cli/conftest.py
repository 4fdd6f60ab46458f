"""The front door with a fake world outside and fake services behind."""

import os
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from mesabox import app
from mesabox.clients.base import (
    Bookmark,
    Change,
    Checkpoint,
    Diff,
    DiffEntry,
    Key,
    Output,
    Repo,
    Secret,
    Session,
    Sprite,
)
from mesabox.config.credentials import EngineChoice
from mesabox.errors import Conflict, NotFound
from mesabox.flow.record.runs import Where
from mesabox.flow.services import Services as FlowServices
from mesabox.switchboard import Services, Switchboard
from mesabox.ui.streams import Streams
from tests import schemas
from tests.flow.services import FakeExecution, answered

WHEN = datetime(2026, 5, 6, 12, tzinfo=UTC)
HEAD, BASE = "k" * 32, "l" * 32


async def each(values):
    for value in values:
        yield value


class FakeRepos:
    """One organization ``acme``, as much of Mesa as the commands ask for."""

    def __init__(self):
        self.known = {"notes": Repo("r1", "acme", "notes", "main", HEAD, WHEN)}
        self.minted = [Key("k1", "mesabox", ("read", "write"), ("r1",), WHEN, tags={"mesabox": "run-1"})]
        self.revoked = []

    async def aclose(self):
        pass

    async def org(self):
        return "acme"

    async def repo(self, name):
        if name not in self.known:
            raise NotFound(f"there is no repo {name!r}", why="Mesa answered 404", fix="mesabox repo list")
        return self.known[name]

    def repos(self):
        return each(self.known.values())

    async def create_repo(self, name, *, default_bookmark=None, tags=None):
        if name in self.known:
            raise Conflict(f"repo {name!r} exists already, or was changed at the same time", why="Mesa answered 409")
        self.known[name] = Repo("r2", "acme", name, default_bookmark or "main", "z" * 32, WHEN)
        return self.known[name]

    async def delete_repo(self, name):
        await self.repo(name)
        del self.known[name]

    async def mint_key(self, *, name, scopes, ttl, repos=None, tags=None):
        ids = None if repos is None else tuple(repo.id for repo in repos)
        self.minted.append(Key("k2", name, tuple(scopes), ids, WHEN, tags=tags or {}))
        return replace(self.minted[-1], secret=Secret("mesa_minted"))

    def keys(self):
        return each([*self.minted, Key("k9", "someone's", ("admin",), None, WHEN)])

    async def revoke_key(self, key_id):
        self.revoked.append(key_id)

    def bookmarks(self, repo):
        return each([Bookmark("main", HEAD, True)])

    async def bookmark(self, repo, name):
        if name != "main":
            raise NotFound(f"there is no bookmark {name!r} in repo {repo!r}")
        return Bookmark("main", HEAD, True)

    def changes(self, repo, *, bookmark=None):
        return each([self._change(HEAD, (BASE,)), self._change(BASE, ())])

    async def change(self, repo, change_id):
        return self._change(change_id, (BASE,))

    def _change(self, change_id, parents):
        return Change(change_id, "c" * 40, "add notes\n\nlong", "ann", parents, False, WHEN, WHEN)

    async def read_file(self, repo, path, *, change_id=None):
        await self.repo(repo)
        return b"\x89PNG" if path.endswith(".png") else b"hello\n"

    async def diff(self, repo, base, head):
        return Diff(base, head, (DiffEntry("a.txt", "modified", None, 1, 0),), 1, 0)

    async def patch(self, repo, base, head):
        return b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n a\n+\xe9\n"


class FakeSandboxes:
    def __init__(self):
        self.known = {"builder": Sprite("builder", "s1", "warm", "https://b.example", "acme", WHEN, ("mesabox",))}

    async def aclose(self):
        pass

    async def create_sprite(self, name, *, labels=()):
        self.known[name] = Sprite(name, "s2", "cold", "", "acme", WHEN, tuple(labels))
        return self.known[name]

    async def sprite(self, name):
        if name not in self.known:
            raise NotFound(f"there is no sprite {name!r}", why="Sprites answered 404: sprite not found")
        return self.known[name]

    def sprites(self, *, prefix=""):
        return each([sprite for name, sprite in self.known.items() if name.startswith(prefix)])

    async def destroy_sprite(self, name):
        await self.sprite(name)
        del self.known[name]

    def execute(self, sprite, request, *, tail=0.0):
        """A script that is asked, and answers that all is well."""
        return FakeExecution(iter([Output(1, answered(request, b""))]))

    async def sessions(self, sprite):
        return [Session("7", "make", "/home/sprite", False, True, WHEN)]

    async def create_checkpoint(self, sprite, comment=""):
        await self.sprite(sprite)
        return "v1"

    async def checkpoints(self, sprite):
        return [Checkpoint("v1", WHEN, "before")]

    async def restore_checkpoint(self, sprite, checkpoint_id):
        if checkpoint_id != "v1":
            raise NotFound(f"there is no checkpoint {checkpoint_id!r} of sprite {sprite!r}")


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def envelope(self):
        assert self.out.count("\n") == 1, self.out
        return schemas.envelope(self.out)


class FrontDoor:
    """Calls ``app.main`` as the console script does."""

    def __init__(self):
        self.repos, self.sandboxes = FakeRepos(), FakeSandboxes()

    def __call__(self, *words, terminal=False, stdin=b""):
        streams = Streams.fake(stdin, terminal=terminal, width=100)
        code = app.main(list(words), streams)
        return Answer(code, *streams.written())

    @asynccontextmanager
    async def services(self, board):
        where = Where("local", "http://m", "http://s", "acme")
        board.reporter.note("engine: local (for a test)")
        yield Services(FlowServices(self.repos, self.sandboxes, where), EngineChoice("local", "for a test"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An environment of its own: nothing of whoever runs the tests shows through."""
    for name in list(os.environ):
        if name.startswith(("MESA", "SPRITE", "XDG_", "CI", "NO_COLOR", "FORCE_COLOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MESABOX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def mesabox(home, monkeypatch):
    door = FrontDoor()
    monkeypatch.setattr(Switchboard, "services", lambda board, **_: door.services(board))
    return door
