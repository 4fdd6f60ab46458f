"""Seeding against a folder of this machine that plays the mount, and a Mesa that looks into it."""

import base64
import os
import random
import subprocess

import pytest

from mesabox.clients.base import Bookmark, Change, TreeEntry
from mesabox.errors import Failed, NotFound, OutcomeUnknown, ServiceError
from mesabox.flow import scripts
from mesabox.flow.patch.writing import blob_oid
from mesabox.flow.record.runs import Where
from mesabox.flow.running.asking import ask
from mesabox.flow.seed import seeding
from mesabox.flow.seed.archive import tar_of
from mesabox.flow.seed.seeding import seed
from mesabox.flow.seed.source import read_source
from mesabox.flow.services import Services
from tests.flow import trees
from tests.flow.here import Here
from tests.flow.services import NOW
from tests.flow.trees import EXECUTABLE, FILE, LINK


class Mesa:
    """ignores: names it keeps no copy of. late: how often it is looked at before it has what was written last.

    broken: the call that fails.
    """

    def __init__(self, mount):
        self.mount, self.ignores, self.late, self.broken = mount, set(), 0, ""
        self.kept, self.told, self.looks = {}, [], 0

    def now(self):
        found = {path: entry for path, entry in trees.read(self.mount).items() if path not in self.ignores}
        self.kept = {**found, **{path: entry for path, entry in self.kept.items() if path in self.told}}
        return self.kept

    async def bookmark(self, repo, name):
        if self.broken == "bookmark":
            raise ServiceError("the bookmark is broken", why="500")
        return Bookmark(name, "k" * 32 if self.now() else "z" * 32, True)

    async def change(self, repo, change_id):
        self.looks += 1
        self.shown = self.kept if self.looks > self.late else {}
        oid = blob_oid(repr(sorted(self.shown.items())).encode())
        return Change(change_id, oid, "", "me", (), False, NOW, NOW)

    async def tree(self, repo, path="", *, change_id, depth):
        kinds = {LINK: "symlink"}
        return [
            TreeEntry(path, kinds.get(mode, "file"), blob_oid(data), len(data), f"{mode:o}")
            for path, (mode, data) in self.shown.items()
        ]

    async def update_change(self, repo, change_id, *, files):
        for file in files:
            self.told.append(file["path"])
            self.kept[file["path"]] = (int(file["mode"], 8), base64.b64decode(file["content"]))
            self.ignores.discard(file["path"])
        return await self.change(repo, change_id)


class Stage:
    def __init__(self, tmp_path):
        self.folder, self.mount = tmp_path / "source", tmp_path / "mount"
        for place in (self.folder, self.mount):
            place.mkdir()
        self.mesa, self.sandboxes = Mesa(self.mount), Here(tmp_path)
        self.services = Services(self.mesa, self.sandboxes, Where("local", "m", "s"))

    async def seed(self, tree=None, **options):
        if tree is not None:
            subprocess.run(["rm", "-rf", self.folder], check=True)
            trees.write(tree, self.folder)
        source = read_source(self.folder)
        return await seed(
            self.services, "s", str(self.mount), source, repo="r", bookmark="main", run="a-run", **options
        )


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(seeding, "_QUIET", 0.3)
    return Stage(tmp_path)


ONE = {"a": (FILE, b"1"), "d/b": (EXECUTABLE, b"2"), "d/e/f": (FILE, b"3"), "link": (LINK, b"a"), "f": (FILE, b"4")}
TWO = {
    "a": (EXECUTABLE, b"1"),
    "d": (FILE, b"now a file"),
    "link": (FILE, b"a"),
    "f/x": (FILE, b"5"),
    "g": (LINK, b"a"),
}


async def test_the_mount_holds_exactly_the_source(stage):
    seeded = await stage.seed(ONE)
    assert (seeded.sent, seeded.removed, seeded.unchanged, seeded.not_kept) == (5, 0, 0, ())
    assert trees.read(stage.mount) == ONE and len(stage.sandboxes.ran) == 1
    stamps = {path: os.lstat(stage.mount / path).st_mtime_ns for path in ONE}
    again = await stage.seed()
    assert (again.sent, again.removed, again.unchanged, again.changed) == (0, 0, 5, False)
    assert {path: os.lstat(stage.mount / path).st_mtime_ns for path in ONE} == stamps
    seeded = await stage.seed(TWO)
    assert (seeded.sent, seeded.removed) == (5, 3)
    assert trees.read(stage.mount) == TWO
    assert not [place for place, folders, names in os.walk(stage.mount) if not folders and not names]


async def test_any_source_after_any_other(stage):
    for seed_of_it in range(12):
        choose = random.Random(seed_of_it)
        wanted = {path: entry for path, entry in trees.some_tree(choose).items() if not path.endswith(("~", "#"))}
        seeded = await stage.seed(wanted)
        assert trees.read(stage.mount) == wanted and seeded.not_kept == (), seed_of_it


async def test_it_waits_until_mesa_has_it(stage):
    stage.mesa.late = 2
    seeded = await stage.seed(ONE)
    assert stage.mesa.looks > 2 and seeded.not_kept == ()


async def test_what_mesa_keeps_no_copy_of_is_told(stage):
    stage.mesa.ignores = {"a"}
    assert (await stage.seed(ONE)).not_kept == ("a",)
    stage.mesa.ignores = set(ONE)
    with pytest.raises(Failed) as told:
        await stage.seed({**ONE, "f": (FILE, b"44")})
    assert told.value.code == "seed_incomplete"


async def test_tracked_though_ignored_goes_to_mesa_itself(stage):
    trees.write({**ONE, ".gitignore": (FILE, b"d/\n"), "d/new": (FILE, b"not tracked")}, stage.folder)
    for words in (["init", "-q"], ["add", "-f", "d/b", "d/e/f"]):
        subprocess.run(["git", *words], cwd=stage.folder, check=True)
    stage.mesa.ignores = {"d/b", "d/e/f"}
    seeded = await stage.seed()
    assert stage.mesa.told == ["d/b", "d/e/f"] and stage.mesa.kept["d/b"] == (EXECUTABLE, b"2")
    assert (seeded.sent, seeded.not_kept) == (6, ())
    trees.write({path: ONE[path] for path in ("d/b", "d/e/f")}, stage.mount)  # as the service would
    assert not (await stage.seed()).changed and stage.mesa.told == ["d/b", "d/e/f"]


async def test_a_failure_names_its_step(stage):
    stage.mesa.broken = "bookmark"
    with pytest.raises(ServiceError) as told:
        await stage.seed(ONE)
    assert "stopped at reading what the repo has" in told.value.what and told.value.why == "the bookmark is broken: 500"
    stage.mesa.broken = ""
    mount, stage.mount = stage.mount, stage.mount / "gone"
    with pytest.raises(Failed) as told:
        await stage.seed()
    assert "stopped at sending its files" in told.value.what and told.value.code == "seed_failed"
    stage.mount = mount
    stage.sandboxes.shell = str(stage.folder.parent / "slow")
    trees.write({"slow": (EXECUTABLE, b"#!/bin/sh\nsleep 60\n")}, stage.folder.parent)
    with pytest.raises(Failed) as told:
        await stage.seed(ONE, limit=0.3)
    assert told.value.code == "seed_timeout"


async def test_a_mesa_that_does_not_answer_is_no_success(stage, monkeypatch):
    async def gone(*_, **__):
        raise NotFound("no such change", why="404")

    monkeypatch.setattr(stage.mesa, "change", gone)
    with pytest.raises(NotFound) as told:
        await stage.seed(ONE)
    assert "stopped at waiting until Mesa has them" in told.value.what


async def test_a_connection_that_breaks_is_no_matter(stage):
    stage.sandboxes.budgets = iter([0, 30, 5, 40, 0, None])
    seeded = await stage.seed(ONE)
    assert (seeded.sent, trees.read(stage.mount)) == (5, ONE)
    stage.sandboxes.exits = lambda _: None
    await stage.seed(TWO)
    assert trees.read(stage.mount) == TWO


async def test_a_source_that_changes_meanwhile_is_what_failed(stage, monkeypatch):
    def gone(source, files):
        (stage.folder / "a").unlink()
        return tar_of(source, files)

    monkeypatch.setattr(seeding, "tar_of", gone)
    with pytest.raises(Failed) as told:
        await stage.seed(ONE)
    assert told.value.code == "source_changed" and "a changed while it was read" in told.value.why


async def test_what_mesa_does_not_let_go_of_is_an_error(stage):
    await stage.seed(ONE)
    stage.mesa.now = lambda: stage.mesa.kept
    with pytest.raises(Failed) as told:
        await stage.seed({path: entry for path, entry in ONE.items() if path != "f"})
    assert told.value.code == "seed_incomplete" and ": f did not reach it" in told.value.why


async def test_a_list_that_does_not_arrive_whole_removes_nothing(stage, shells):
    trees.write(ONE, stage.mount)
    for script in (scripts.REMOVE, scripts.HASHES):
        words = scripts.sh(script, str(stage.mount), "5", scripts.HASH)
        with pytest.raises(OutcomeUnknown, match="does not arrive"):
            await ask(stage.sandboxes, "s", words, stdin=b"a\0")
    assert trees.read(stage.mount) == ONE
    done = await ask(stage.sandboxes, "s", scripts.sh(scripts.REMOVE, str(stage.mount), "6"), stdin=b"a\0d/b\0")
    assert done.exit_code == 0 and trees.read(stage.mount).keys() == ONE.keys() - {"a", "d/b"}
