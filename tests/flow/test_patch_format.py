"""What we write as a patch, git applies; what git writes, we read."""

import random
import shutil
import subprocess

import pytest

from mesabox.flow.patch.applying import apply_patch
from mesabox.flow.patch.format import PatchProblem, parse_patch
from tests.flow import trees

QUIET = ("-c", "core.autocrlf=false")


def git(folder, *words, **options):
    return subprocess.run(["git", *QUIET, *words], cwd=folder, capture_output=True, **options)


def commit(folder):
    git(folder, "add", "-A", check=True)
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty", check=True)


@pytest.mark.parametrize("oids_alone", [False, True])
def test_git_applies_what_we_write(tmp_path, oids_alone):
    for seed in range(60):
        choose = random.Random(seed)
        before = trees.some_tree(choose)
        after = trees.edited(choose, before)
        folder = trees.write(before, tmp_path / str(seed))
        git(folder, "init", "-q", check=True)
        patch = trees.patch_between(before, after, oids_alone=oids_alone)
        done = git(folder, "apply", "--whitespace=nowarn", input=patch)
        assert not patch or done.returncode == 0, (seed, done.stderr)
        assert trees.read(folder) == after, seed


def test_git_takes_it_back(tmp_path):
    before = {"a": (trees.FILE, b"1\n"), "b": (trees.FILE, b"\0\1"), "gone": (trees.EXECUTABLE, b"\0x")}
    after = {"a": (trees.EXECUTABLE, b"2\n"), "b": (trees.FILE, b"\0\2"), "new": (trees.FILE, b"\0new")}
    folder = trees.write(after, tmp_path / "folder")
    git(folder, "init", "-q", check=True)
    git(folder, "apply", "-R", input=trees.patch_between(before, after), check=True)
    assert trees.read(folder) == before


def test_what_git_writes_is_read_and_applied(tmp_path):
    for seed in range(60):
        choose = random.Random(seed)
        before = {path: entry for path, entry in trees.some_tree(choose).items() if b"\0" not in entry[1]}
        after = {path: entry for path, entry in trees.edited(choose, before).items() if b"\0" not in entry[1]}
        folder = trees.write(before, tmp_path / str(seed))
        git(folder, "init", "-q", check=True)
        commit(folder)
        for child in folder.iterdir():
            if child.name != ".git":
                shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
        trees.write(after, folder)
        git(folder, "add", "-A", check=True)
        patch = git(folder, "diff", "--cached", "-M", check=True).stdout
        place = trees.write(before, tmp_path / f"{seed}-copy")
        apply_patch(patch, place)
        assert trees.read(place) == after, seed


def test_counts_and_facts():
    patch = (
        b'diff --git "a/t\\303\\244b" "b/t\\303\\244b"\nold mode 100644\nnew mode 100755\nindex 1234567..89abcde\n'
        b'--- "a/t\\303\\244b"\n+++ "b/t\\303\\244b"\n@@ -1,2 +1,3 @@ def f():\n'
        b" a\n-b\n+c\n+d\n\\ No newline at end of file\n"
        b"diff --git a/x y b/x y\nnew file mode 120000\nindex 0000000..1234567\n--- /dev/null\n+++ b/x y\t\n"
        b"@@ -0,0 +1 @@\n+to\n\\ No newline at end of file\n"
        b"diff --git a/e b/e\ndeleted file mode 100644\nindex e69de29..0000000\n"
        b"diff --git a/p q b/p q\nold mode 100644\nnew mode 100755\n"
    )
    text, link, empty, mode = parse_patch(patch)
    assert (text.path, text.status, text.old_mode, text.new_mode, text.new_oid) == (
        "täb", "modified", 0o100644, 0o100755, "89abcde",
    )  # fmt: skip
    [hunk] = text.hunks
    assert (hunk.old, hunk.new, hunk.context, hunk.trailing) == ((b"a\n", b"b\n"), (b"a\n", b"c\n", b"d"), 1, 0)
    assert (link.path, link.status, link.new_mode, link.old_path, link.hunks[0].new) == (
        "x y", "added", 0o120000, None, (b"to",),
    )  # fmt: skip
    assert (empty.path, empty.status, empty.new_path) == ("e", "deleted", None)
    assert (mode.path, mode.status, mode.old_path) == ("p q", "modified", "p q")


@pytest.mark.parametrize(
    "patch",
    [
        b"hello\n",
        b"diff --git a/x b/y\n",
        b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n",
        b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n*b\n",
        b"diff --git a/x b/x\nwhat is this\n",
        b"diff --git a/x b/x\nindex 1..2\nGIT binary patch\ndelta 3\nKcmZ\n\n",
        b"diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 3\nKcmZzzzzzzzzzzz\n\n",
        b"diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 9\nHcmV?d00001\n\n",
    ],
)
def test_what_cannot_be_read_is_said(patch):
    with pytest.raises(PatchProblem):
        parse_patch(patch)
