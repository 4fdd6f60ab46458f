"""A service's unified diff made whole: judged by applying it with git."""

import random
import subprocess
from dataclasses import replace

import pytest

from mesabox.clients.base import Diff, DiffEntry, TreeEntry
from mesabox.clients.mesa import replies
from mesabox.engine.mesa.changes import ROOT
from mesabox.engine.mesa.diffs import DiffRequest, diff_json, patch_text
from mesabox.engine.mesa.objects import Entry, Objects
from mesabox.errors import NotFound
from mesabox.flow.patch import whole as patches
from mesabox.flow.patch.whole import patch_between_trees, whole_patch
from mesabox.flow.patch.writing import blob_oid
from mesabox.wire.mesa import EMPTY_TREE_OID
from tests.flow import trees
from tests.flow.trees import EXECUTABLE, FILE, LINK

BASE, HEAD = "1" * 40, "2" * 40


class Service:
    """Two trees, and what a service tells of them. unknown: revisions whose contents it does not give."""

    def __init__(self, before, after, unknown=()):
        self.trees = {BASE: before, HEAD: after}
        self.unknown = unknown
        self.read = []

    async def tree(self, repo, path="", *, change_id, depth):
        if change_id in self.unknown:
            raise NotFound(change_id)
        return list(self.entries(change_id).values())

    def entries(self, revision):
        kinds = {LINK: "symlink"}
        return {
            path: TreeEntry(path, kinds.get(mode, "file"), blob_oid(data), len(data), f"{mode:o}")
            for path, (mode, data) in self.trees[revision].items()
        }

    async def read_file(self, repo, path, *, change_id):
        if change_id in self.unknown or path not in self.trees[change_id]:
            raise NotFound(f"no {path}", why="it is gone")
        self.read.append(path)
        return self.trees[change_id][path][1]

    def diff(self):
        before, after = self.trees[BASE], self.trees[HEAD]
        status = {path: "added" for path in after if path not in before}
        status |= {path: "deleted" for path in before if path not in after}
        status |= {path: "modified" for path in before if path in after and before[path] != after[path]}
        return Diff(BASE, HEAD, tuple(DiffEntry(path, one, None, None, None) for path, one in status.items()), 0, 0)


def applied(patch, before, folder):
    trees.write(before, folder)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    done = subprocess.run(["git", "apply", "--whitespace=nowarn"], cwd=folder, input=patch.data, capture_output=True)
    assert not patch.data or done.returncode == 0, done.stderr
    return trees.read(folder)


BEFORE = {"text": (FILE, b"1\n"), "bin": (FILE, b"\0\1"), "bin gone": (FILE, b"\0"), "was link": (LINK, b"text"),
          "to link": (FILE, b"\0x"), "mode": (FILE, b"m\n"), "lost": (FILE, b"l\n")}  # fmt: skip
AFTER = {"text": (FILE, b"2\n"), "bin": (EXECUTABLE, b"\0\2"), "bin new": (EXECUTABLE, b"\0n"),
         "was link": (FILE, b"f\n"), "to link": (LINK, b"text"), "mode": (EXECUTABLE, b"m\n"),
         "made": (FILE, b"n\n")}  # fmt: skip

TEXT = b"""\
diff --git a/bin b/bin
old mode 100644
new mode 100755
index 1234567..89abcde
Binary files a/bin and b/bin differ
diff --git a/bin gone b/bin gone
deleted file mode 100644
index 1234567..0000000
Binary files a/bin gone and /dev/null differ
diff --git a/bin new b/bin new
new file mode 100755
index 0000000..1234567
Binary files /dev/null and b/bin new differ
diff --git a/mode b/mode
old mode 100644
new mode 100755
diff --git a/text b/text
index 1234567..89abcde 100644
--- a/text
+++ b/text
@@ -1 +1 @@
-1
+2
diff --git a/to link b/to link
old mode 100644
new mode 120000
index 1234567..89abcde
Binary files a/to link and b/to link differ
diff --git a/was link b/was link
deleted file mode 120000
index 1234567..0000000
--- a/was link
+++ /dev/null
@@ -1 +0,0 @@
-text
\\ No newline at end of file
diff --git a/was link b/was link
new file mode 100644
index 0000000..1234567
--- /dev/null
+++ b/was link
@@ -0,0 +1 @@
+f
"""
"""As the local engine writes it, but for the files ``lost`` and ``made``, which it leaves out."""


async def test_what_the_service_leaves_out_is_put_in(tmp_path):
    service = Service(BEFORE, AFTER)
    patch = await whole_patch(service, "r", TEXT, service.diff(), base=BASE, head=HEAD)
    assert patch.missing == () and b"Binary files" not in patch.data
    assert applied(patch, BEFORE, tmp_path / "f") == AFTER
    assert "text" not in service.read and "mode" not in service.read  # what was whole is not fetched


async def test_good_text_is_kept_byte_for_byte():
    service = Service({"t": (FILE, b"\xe9\n")}, {"t": (FILE, b"\xea\n")})
    text = b"diff --git a/t b/t\nindex 1..2 100644\n--- a/t\n+++ b/t\n@@ -1 +1 @@ \xff\n-\xe9\n+\xea\n"
    assert (await whole_patch(service, "r", text, service.diff(), base=BASE, head=HEAD)).data == text
    assert (await whole_patch(service, "r", b"", Diff(BASE, HEAD, (), 0, 0), base=BASE, head=HEAD)).data == b""


async def test_without_the_old_contents_their_oids_do(tmp_path):
    service = Service(BEFORE, AFTER, unknown={BASE})
    text = TEXT.replace(b"index 1234567..", b"index %s.." % blob_oid(b"\0\1").encode(), 1)
    keep = ("bin", "bin new", "text", "mode", "was link", "made")
    trees_ = {name: {path: tree[path] for path in keep if path in tree} for name, tree in service.trees.items()}
    service.trees = trees_
    sections = [
        one for one in patches.sections(text) if not one.startswith((b"diff --git a/bin gone", b"diff --git a/to l"))
    ]
    patch = await whole_patch(service, "r", b"".join(sections), service.diff(), base=BASE, head=HEAD)
    assert patch.missing == () and applied(patch, trees_[BASE], tmp_path / "f") == trees_[HEAD]


async def test_what_is_missing_is_named_and_refused_by_git(tmp_path):
    service = Service(BEFORE, AFTER, unknown={BASE, HEAD})
    patch = await whole_patch(service, "r", TEXT, service.diff(), base=BASE, head=HEAD)
    assert {one.path for one in patch.missing} == {"bin", "bin gone", "bin new", "to link", "lost", "made"}
    assert {one.why for one in patch.missing} == {"it is gone"}
    trees.write(BEFORE, tmp_path / "f")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "f", check=True)
    done = subprocess.run(["git", "apply"], cwd=tmp_path / "f", input=patch.data, capture_output=True)
    assert done.returncode != 0 and trees.read(tmp_path / "f") == BEFORE


async def test_a_patch_has_its_limits(monkeypatch):
    after = {f"b{number}": (FILE, b"\0" * (10 + number)) for number in range(20)}
    service = Service({}, after)
    monkeypatch.setattr(patches, "_LARGEST_FILE", 20)
    patch = await patch_between_trees(service, "r", {}, service.entries(HEAD), head=HEAD)
    assert {one.path for one in patch.missing} == {f"b{number}" for number in range(11, 20)}
    assert {one.why for one in patch.missing} == {"it is too large to be put into a patch"}
    monkeypatch.setattr(patches, "_MOST_BYTES", 60)
    patch = await patch_between_trees(service, "r", {}, service.entries(HEAD), head=HEAD)
    assert len(patch.missing) > 9 and patch.data


async def test_any_two_trees_by_their_entries_alone(tmp_path):
    for seed in range(60):
        choose = random.Random(seed)
        before = trees.some_tree(choose)
        after = trees.edited(choose, before)
        service = Service(before, after, unknown={BASE})
        patch = await patch_between_trees(service, "r", service.entries(BASE), service.entries(HEAD), head=HEAD)
        assert patch.missing == () and applied(patch, before, tmp_path / str(seed)) == after, seed


async def test_any_two_trees_by_the_engines_own_text(tmp_path):
    Objects.create(tmp_path / "r.git")
    objects = Objects(tmp_path / "r.git")
    for seed in range(80):
        choose = random.Random(seed)
        before = trees.some_tree(choose)
        after = trees.edited(choose, before)
        base, head = (in_engine(objects, tree) for tree in (before, after))
        text = patch_text(objects, base, head)
        diff = replies.diff(diff_json(objects, DiffRequest(base, head, "include")))
        assert len({entry.path for entry in diff.entries}) == len(diff.entries)
        patch = await whole_patch(Service(before, after), "r", text, diff, base=BASE, head=HEAD)
        assert patch.missing == () and applied(patch, before, tmp_path / str(seed)) == after, seed


def in_engine(objects, tree):
    files = {path: Entry(objects.write_blob(data), mode) for path, (mode, data) in tree.items()}
    return replace(ROOT, tree_oid=objects.edit_tree(EMPTY_TREE_OID, files))


@pytest.mark.parametrize("link", [True, False])
async def test_a_renaming_out_of_the_way_of_a_folder(tmp_path, link):
    mode = LINK if link else FILE
    before, after = {"d": (mode, b"text")}, {"e": (mode, b"text"), "d/x": (FILE, b"x\n")}
    text = (
        b"diff --git a/d/x b/d/x\nnew file mode 100644\nindex 0000000..587be6b\n--- /dev/null\n+++ b/d/x\n"
        b"@@ -0,0 +1 @@\n+x\ndiff --git a/d b/e\nsimilarity index 100%\nrename from d\nrename to e\n"
    )
    service = Service(before, after)
    diff = Diff(BASE, HEAD, (DiffEntry("d/x", "added", None, 1, 0), DiffEntry("e", "renamed", "d", 0, 0)), 1, 0)
    patch = await whole_patch(service, "r", text, diff, base=BASE, head=HEAD)
    assert applied(patch, before, tmp_path / "f") == after
