"""What a mount holds, in each shell there is, and the wait until Mesa holds the same."""

import os
import random
import shutil
import subprocess
import time

import pytest

from mesabox.clients.base import Bookmark, Change, TreeEntry
from mesabox.errors import Failed, OutcomeUnknown, ServiceError
from mesabox.flow import held, settling
from mesabox.flow.held import held_in
from mesabox.flow.patch.writing import blob_oid
from mesabox.flow.record.runs import Where
from mesabox.flow.services import Services
from mesabox.flow.settling import settled_mount
from tests.flow import trees
from tests.flow.here import Here
from tests.flow.services import NOW
from tests.flow.trees import FILE, LINK

RUN = "a-run"


def entries(tree):
    kinds = {LINK: "symlink"}
    return {
        path: TreeEntry(path, kinds.get(mode, "file"), blob_oid(data), len(data), f"{mode:o}")
        for path, (mode, data) in tree.items()
    }


class Mesa:
    """shown: what it has in turn, a state for each time that it is looked at; the last one stays. asked: every call."""

    def __init__(self, *shown):
        self.shown, self.asked = list(shown), []

    async def bookmark(self, repo, name):
        self.asked.append("bookmark")
        if len(self.shown) > 1 and self.asked.count("bookmark") > 1:
            self.shown.pop(0)
        return Bookmark(name, "k" * 32, True)

    async def change(self, repo, change_id):
        self.asked.append("change")
        oid = blob_oid(repr(sorted(self.shown[0].items())).encode())
        return Change(change_id, oid, "", "me", (), False, NOW, NOW)

    async def tree(self, repo, path="", *, change_id, depth):
        self.asked.append("tree")
        return list(entries(self.shown[0]).values())


class Mount:
    """A folder of this machine that plays it: single-tier mounts are symlinks, too."""

    def __init__(self, tmp_path):
        self.home, self.files, self.folder = tmp_path / "home", tmp_path / "files", tmp_path / "home/mnt"
        self.home.mkdir()
        self.files.mkdir()
        self.folder.symlink_to(self.files)
        self.here = Here(self.home)

    def mounted(self, tree, *, stamp=True):
        trees.write(tree, self.files)
        time.sleep(0.02)  # a stamp is told from what is newer by the kernel's ticks
        if stamp:
            place = self.home / f".local/state/mesabox/jobs/{RUN}.mounted"
            place.parent.mkdir(parents=True)
            place.touch()
        time.sleep(0.02)

    def sh(self, script):
        subprocess.run(["/bin/sh", "-c", script], cwd=self.files, check=True, env={"PATH": "/usr/bin:/bin"})

    def services(self, mesa=None):
        return Services(mesa, self.here, Where("local", "m", "s"))

    async def held(self):
        return await held_in(self.services(), "s", str(self.folder), RUN)

    async def settled(self, mesa, limit=10.0):
        services = self.services(mesa)
        return await settled_mount(services, "r", "main", sprite="s", folder=str(self.folder), run=RUN, limit=limit)


@pytest.fixture
def mount(tmp_path):
    return Mount(tmp_path)


def become(folder, before, after):
    """What was moved is renamed, not written anew; a file that stays is written in its place."""
    gone = [path for path in before if path not in after]
    for path in [path for path in after if path not in before]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True) if not _blocked(folder, path) else None
        same = next((one for one in gone if before[one] == after[path]), None)
        if same and not _blocked(folder, path) and not (folder / path).is_dir():
            os.rename(folder / same, folder / path)
            gone.remove(same)
    for path in [*gone, *(path for path in after if before.get(path, after[path])[0] != after[path][0])]:
        (folder / path).unlink(missing_ok=True)
    for place, _, _ in os.walk(folder, topdown=False):
        if not os.listdir(place) and place != str(folder):
            os.rmdir(place)
    missing = {path: entry for path, entry in after.items() if trees.read(folder).get(path) != entry}
    trees.write(missing, folder)


def _blocked(folder, path):
    return any((folder / parent).is_file() or (folder / parent).is_symlink() for parent in _parents(path))


def _parents(path):
    while path := path.rpartition("/")[0]:
        yield path


async def test_exactly_what_differs_is_lacking(shells, mount):
    for seed in range(6):
        choose = random.Random(seed)
        before = trees.some_tree(choose)
        after = trees.edited(choose, before)
        mount.files = mount.files.with_name(f"files-{seed}")
        mount.folder = mount.folder.with_name(f"mnt-{seed}")
        mount.folder.symlink_to(mount.files)
        shutil.rmtree(mount.home / ".local", ignore_errors=True)
        mount.mounted(before)
        become(mount.files, before, after)
        assert trees.read(mount.files) == after
        state = await mount.held()
        differ = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert state.lacking(entries(before)) == (differ, set()), seed
        assert state.lacking(entries(after)) == (set(), set()), seed


BEFORE = {"a": (FILE, b"1"), "b": (FILE, b"2"), "d/x": (FILE, b"3"), "d/y": (FILE, b"4"), "l": (LINK, b"a")}


@pytest.mark.parametrize(
    ("script", "lacking"),
    [
        ("rm a", {"a"}),
        ("chmod +x a", {"a"}),
        ("printf 9 > a", {"a"}),
        ("mv a c", {"a", "c"}),
        ("mv d e", {"d/x", "d/y", "e/x", "e/y"}),
        ("ln -sfn b l", {"l"}),
        ("rm l; printf a > l", {"l"}),
        ("cp -p a c; touch -d 2001-01-01 c", {"c"}),
        ("mkdir e .git; touch .git/x; mkfifo f", set()),
        ("touch a", set()),
    ],
)
async def test_each_kind_of_change(shells, mount, script, lacking):
    mount.mounted(BEFORE)
    mount.sh(script)
    assert (await mount.held()).lacking(entries(BEFORE)) == (lacking, set())


async def test_nothing_is_listed_when_nothing_changed(mount):
    mount.mounted(BEFORE)
    assert await mount.held() is None
    mesa = Mesa({"else": (FILE, b"by others")})
    assert await mount.settled(mesa) == settling.Settled(await mesa.change("r", "k" * 32))
    assert len(mount.here.ran) == 2 and mesa.asked == ["bookmark", "change", "change"]


async def test_without_a_stamp_everything_may_be_new(shells, mount):
    mount.mounted(BEFORE, stamp=False)
    mount.sh("printf 9 > a")
    assert (await mount.held()).lacking(entries(BEFORE)) == ({"a"}, set())


async def test_what_mesa_ignores_is_not_waited_for(shells, mount):
    mount.mounted({**BEFORE, ".gitignore": (FILE, b"*.o\n/build/\n!keep.o\n"), "tracked.o": (FILE, b"5")})
    mount.sh("mkdir -p build/e d/build; touch build/e/f d/build/f x.o keep.o d/z.o core .DS_Store; printf '*\n' > e~")
    mount.sh("printf 6 > tracked.o; mkdir s; printf '*\n!.gitignore\n' > s/.gitignore; touch s/no")
    mesa = {**entries(BEFORE), "tracked.o": entries({"tracked.o": (FILE, b"5")})["tracked.o"]}
    mesa[".gitignore"] = entries(trees.read(mount.files))[".gitignore"]
    assert (await mount.held()).lacking(mesa) == ({"d/build/f", "keep.o", "s/.gitignore"}, {"tracked.o"})
    listed = mount.home / ".config/mesa/.mesaignore"
    listed.parent.mkdir(parents=True)
    listed.write_text("keep.*\n")
    lacking, _ = (await mount.held()).lacking(mesa)
    assert lacking == {"d/build/f", "s/.gitignore", "core", ".DS_Store", "e~", "keep.o"}


async def test_more_than_are_hashed_at_once(shells, mount, monkeypatch):
    monkeypatch.setattr(held, "_HASHED_AT_ONCE", 3)
    before = {f"f{number}": (FILE, b"1") for number in range(9)} | {f"l{number}": (LINK, b"a") for number in range(5)}
    mount.mounted(before)
    mount.sh("for f in f*; do printf 2 > $f; done; for l in l*; do ln -sfn b $l; done; printf '*.o\n' > .gitignore")
    mount.sh("for i in 1 2 3 4 5; do echo > $i.o; done")
    mount.here.ran.clear()
    state = await mount.held()
    assert state.lacking(entries(before))[0] == {*before, ".gitignore"}
    assert state.lacking(entries(trees.read(mount.files))) == (set(), set()) and len(mount.here.ran) == 3


async def test_a_file_that_cannot_be_read_is_told_by_its_size(mount, monkeypatch):
    mount.mounted(BEFORE)
    mount.sh("printf 9 > a; mkdir bin; printf '#!/bin/sh\nexit 1\n' > bin/git; chmod +x bin/git")
    monkeypatch.setenv("PATH", f"{mount.files}/bin:/usr/bin:/bin")
    assert (await mount.held()).lacking(entries(BEFORE))[0] == {"a", "bin/git"}
    os.rename(mount.files / "bin/git", mount.files / "bin/sha1sum")
    shutil.copy(mount.files / "bin/sha1sum", mount.files / "bin/git")
    assert (await mount.held()).lacking(entries(BEFORE))[0] == {"bin/git", "bin/sha1sum"}


async def test_it_is_waited_for_change_by_change(mount):
    mount.mounted(BEFORE)
    mount.sh("rm b; printf 9 > a; chmod +x d/x; mv d/y y; ln -sfn b l")
    after = trees.read(mount.files)
    states = [BEFORE]
    for path in sorted({*BEFORE, *after}):
        state = dict(states[-1])
        state.pop(path, None)
        states.append({**state, path: after[path]} if path in after else state)
    mesa = Mesa(*states)
    settled = await mount.settled(mesa)
    assert (settled.missing, settled.unsure, mesa.shown) == ((), None, [after])
    assert settled.change == await mesa.change("r", "k" * 32)


async def test_what_does_not_come_is_named(mount):
    mount.mounted(BEFORE)
    mount.sh("rm b; printf 9 > a")
    settled = await mount.settled(Mesa(BEFORE, {**BEFORE, "a": (FILE, b"9")}), limit=0.3)
    assert (settled.missing, settled.unsure) == (("b",), None) and settled.change is not None


async def test_what_others_write_later_is_not_waited_for(mount, monkeypatch):
    monkeypatch.setattr(settling, "_LOOK_AGAIN", (0.2, float("inf")))
    mount.mounted(BEFORE)
    mount.sh("printf 9 > a; printf 1 > log")
    held_back = {**BEFORE, "log": (FILE, b"123")}

    class Growing(Mesa):
        async def tree(self, repo, path="", *, change_id, depth):
            mount.sh("printf x >> log")
            return await super().tree(repo, path, change_id=change_id, depth=depth)

    mesa = Growing(*[held_back] * 7, {**held_back, "a": (FILE, b"9")})
    settled = await mount.settled(mesa)
    assert settled.missing == () and mesa.shown[0]["a"] == (FILE, b"9")


async def test_an_edit_of_what_is_ignored_and_tracked_has_until_mesa_rests(mount, monkeypatch):
    monkeypatch.setattr(settling, "_QUIET", 0.2)
    before = {"a": (FILE, b"1"), ".gitignore": (FILE, b"a\n")}
    mount.mounted(before)
    mount.sh("printf 2 > a")
    mesa = Mesa(before, before, {**before, "a": (FILE, b"2")})
    assert (await mount.settled(mesa)).missing == () and mesa.shown == [{**before, "a": (FILE, b"2")}]
    assert (await mount.settled(Mesa(before))).missing == ()


async def test_a_sprite_that_cannot_be_asked(mount, monkeypatch):
    mount.mounted(BEFORE)
    mount.folder.unlink()
    mesa = Mesa(BEFORE)
    settled = await mount.settled(mesa)
    assert isinstance(settled.unsure, Failed) and settled.unsure.code == "no_mount" and settled.change is not None
    mount.folder.mkdir()  # a folder that is left where a mount was
    assert (await mount.settled(mesa)).unsure.code == "no_mount"

    def refuse(sprite, request):
        raise ServiceError("no")

    monkeypatch.setattr(mount.here, "execute", refuse)
    assert isinstance((await mount.settled(mesa)).unsure, ServiceError)


async def test_a_sprite_that_does_not_answer(mount):
    mount.mounted(BEFORE)
    (mount.files.parent / "slow").write_text("#!/bin/sh\nsleep 60\n")
    (mount.files.parent / "slow").chmod(0o755)
    mount.here.shell = str(mount.files.parent / "slow")
    settled = await mount.settled(Mesa(BEFORE), limit=0.3)
    assert settled.unsure.code == "timeout" and settled.change is not None


async def test_mesa_that_fails_is_an_error(mount):
    mount.mounted(BEFORE)

    class Broken(Mesa):
        async def bookmark(self, repo, name):
            raise OutcomeUnknown("no")

    with pytest.raises(OutcomeUnknown):
        await mount.settled(Broken(BEFORE))
