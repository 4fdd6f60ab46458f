"""A patch in a local folder: all of it or nothing, never over newer edits, never outside, twice without harm."""

import os
import random
import subprocess

import pytest

from mesabox.errors import Conflict, Failed, NotFound
from mesabox.flow.patch import local_tree
from mesabox.flow.patch.applying import apply_patch
from tests.flow import trees
from tests.flow.trees import EXECUTABLE, FILE, LINK, patch_between, read, write

NUMBERS = b"".join(b"%d\n" % number for number in range(1, 21))


def how(applied):
    return {file.path: file.how for file in applied.files}


@pytest.mark.parametrize("oids_alone", [False, True])
def test_any_tree_becomes_any_other_and_twice_is_once(tmp_path, oids_alone):
    for seed in range(150):
        choose = random.Random(seed)
        before = trees.some_tree(choose)
        after = trees.edited(choose, before)
        patch = patch_between(before, after, oids_alone=oids_alone)
        folder = write(before, tmp_path / str(seed))
        assert apply_patch(patch, folder, dry_run=True).changed or before == after
        assert read(folder) == before, seed
        apply_patch(patch, folder)
        assert read(folder) == after, seed
        again = apply_patch(patch, folder)
        assert read(folder) == after and again.changed == 0, seed
        assert not [name for name in os.listdir(folder) if name.startswith(".mesabox")]


def test_edits_elsewhere_in_a_file_are_merged(tmp_path):
    after = NUMBERS.replace(b"10\n", b"ten\n")
    folder = write({"n": (FILE, b"zero\n" + NUMBERS + b"end\n")}, tmp_path / "f")
    patch = patch_between({"n": (FILE, NUMBERS)}, {"n": (FILE, after)})
    assert how(apply_patch(patch, folder)) == {"n": "merged"}
    assert (folder / "n").read_bytes() == b"zero\n" + after + b"end\n"
    assert how(apply_patch(patch, folder)) == {"n": "already there"}
    (folder / "n").write_bytes(b"minus\n" + (folder / "n").read_bytes())
    assert how(apply_patch(patch, folder)) == {"n": "already there"}
    assert (folder / "n").read_bytes() == b"minus\nzero\n" + after + b"end\n"


def test_edits_of_the_same_lines_collide_and_nothing_is_applied(tmp_path):
    before = {"n": (FILE, NUMBERS), "other": (FILE, b"1\n")}
    patch = patch_between(before, {"n": (FILE, NUMBERS.replace(b"10\n", b"ten\n")), "other": (FILE, b"2\n")})
    mine = {"n": (FILE, NUMBERS.replace(b"10\n", b"X\n")), "other": (FILE, b"1\n")}
    folder = write(mine, tmp_path / "f")
    for options in ({}, {"dry_run": True}, {"force": True}):
        with pytest.raises(Conflict) as told:
            apply_patch(patch, folder, **options)
        assert told.value.exit_code == 5 and "n: the same lines were edited here" in told.value.why
        assert "other" not in told.value.why and "move them away" in told.value.fix
        assert read(folder) == mine


def test_what_collides_is_overwritten_when_told_and_the_patch_has_it(tmp_path):
    before = {"gone": (FILE, b"g\n"), "bin": (FILE, b"\0one")}
    after = {"new": (EXECUTABLE, b"run\n"), "bin": (FILE, b"\0two"), "link": (LINK, b"to")}
    patch = patch_between(before, after)
    folder = write({"gone": (FILE, b"mine\n"), "bin": (FILE, b"\0mine"), "new": (FILE, b"mine\n"),
                    "link": (FILE, b"mine")}, tmp_path / "f")  # fmt: skip
    with pytest.raises(Conflict) as told:
        apply_patch(patch, folder)
    assert all(name in told.value.why for name in ("gone", "bin", "new", "link")) and "--force" in told.value.fix
    assert set(how(apply_patch(patch, folder, force=True)).values()) == {"overwritten"}
    assert read(folder) == after


def test_with_the_old_version_in_git_even_text_is_overwritten(tmp_path):
    after = NUMBERS.replace(b"10\n", b"ten\n")
    folder = write({"n": (FILE, NUMBERS)}, tmp_path / "f")
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    (folder / "n").write_bytes(NUMBERS.replace(b"10\n", b"X\n"))
    patch = patch_between({"n": (FILE, NUMBERS)}, {"n": (FILE, after)})
    with pytest.raises(Conflict, match="nothing was applied"):
        apply_patch(patch, folder)
    apply_patch(patch, folder, force=True)
    assert (folder / "n").read_bytes() == after


def test_what_cannot_be_overwritten_is_named_in_the_fix(tmp_path):
    before = {"n": (FILE, NUMBERS)}
    patch = patch_between(before, {"n": (FILE, NUMBERS.replace(b"10\n", b"ten\n")), "new": (FILE, b"new\n")})
    folder = write({"n": (FILE, b"mine\n"), "new": (FILE, b"mine\n")}, tmp_path / "f")
    with pytest.raises(Conflict) as told:
        apply_patch(patch, folder)
    assert told.value.fix == "--force overwrites all but n: move those away first"


def test_a_folder_with_files_of_its_own_does_not_give_way(tmp_path):
    patch = patch_between({"d/a": (FILE, b"a\n")}, {"d": (FILE, b"now a file\n")})
    folder = write({"d/a": (FILE, b"a\n"), "d/mine": (FILE, b"m\n")}, tmp_path / "f")
    for force in (False, True):
        with pytest.raises(Conflict, match="collides"):
            apply_patch(patch, folder, force=force)
    (folder / "d/mine").unlink()
    (folder / "d/empty/empty").mkdir(parents=True)
    apply_patch(patch, folder)
    assert read(folder) == {"d": (FILE, b"now a file\n")}


def test_an_edited_file_that_was_renamed_keeps_the_edits(tmp_path):
    folder = write({"old": (FILE, NUMBERS + b"mine\n")}, tmp_path / "f")
    patch = patch_between({"old": (FILE, NUMBERS)}, {"d/new": (FILE, NUMBERS)})
    assert [(file.old_path, file.path, file.status) for file in apply_patch(patch, folder).files] == [
        ("old", "d/new", "renamed")
    ]
    assert read(folder) == {"d/new": (FILE, NUMBERS + b"mine\n")}


def test_two_files_change_places(tmp_path):
    before, after = (
        {"a": (FILE, b"1\n" * 9), "b": (FILE, b"2\n" * 9)},
        {"a": (FILE, b"2\n" * 9), "b": (FILE, b"1\n" * 9)},
    )
    names = b"diff --git a/a b/b\nrename from a\nrename to b\ndiff --git a/b b/a\nrename from b\nrename to a\n"
    folder = write(before, tmp_path / "f")
    apply_patch(names, folder)
    assert read(folder) == after


def test_modes_follow_the_umask_and_the_file_that_was_there(tmp_path):
    before = {"kept": (FILE, b"1\n"), "run": (FILE, b"1\n")}
    after = {"kept": (FILE, b"2\n"), "run": (EXECUTABLE, b"1\n"), "new": (EXECUTABLE, b"n\n"), "plain": (FILE, b"p\n")}
    folder = write(before, tmp_path / "f")
    (folder / "kept").chmod(0o600)
    (folder / "run").chmod(0o640)
    old = os.umask(0o027)
    try:
        apply_patch(patch_between(before, after), folder)
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {"kept": 0o600, "run": 0o750, "new": 0o750, "plain": 0o640}


@pytest.mark.parametrize(
    "path",
    ["../out", "/etc/out", "a/../../out", ".git/config", "sub/.GIT/hooks/post-checkout", "./x", "a//b", "git~1/x"],
)
def test_a_path_that_leads_out_or_into_git_is_refused(tmp_path, path):
    folder = write({"a/x": (FILE, b"x")}, tmp_path / "f")
    patch = patch_between({}, {path: (FILE, b"evil\n")})
    with pytest.raises(Failed) as told:
        apply_patch(patch, folder, force=True)
    assert told.value.code == "unsafe_patch" and os.listdir(tmp_path) == ["f"] and read(folder) == {"a/x": (FILE, b"x")}


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_through_a_symlink(tmp_path, force):
    outside = write({"x": (FILE, b"1\n")}, tmp_path / "outside")
    folder = write({"d": (LINK, os.fsencode(outside))}, tmp_path / "f")
    for before, after in (({}, {"d/new": (FILE, b"n")}), ({"d/x": (FILE, b"1\n")}, {"d/x": (FILE, b"2\n")})):
        with pytest.raises(Conflict, match="collides"):
            apply_patch(patch_between(before, after), folder, force=force)
    apply_patch(patch_between({"d/x": (FILE, b"1\n")}, {}), folder)
    assert read(outside) == {"x": (FILE, b"1\n")}


def test_a_link_that_the_patch_makes_is_not_written_through(tmp_path):
    folder = write({}, tmp_path / "f")
    patch = patch_between({}, {"d": (LINK, b"..")}) + patch_between({}, {"d/out": (FILE, b"evil")})
    with pytest.raises(Failed):
        apply_patch(patch, folder)
    assert read(folder) == {} and os.listdir(tmp_path) == ["f"]


def test_a_link_that_the_run_replaced_by_a_folder_gives_way(tmp_path):
    outside = write({}, tmp_path / "outside")
    folder = write({"d": (LINK, os.fsencode(outside))}, tmp_path / "f")
    after = {"d/x": (FILE, b"x\n")}
    apply_patch(patch_between({"d": (LINK, os.fsencode(outside))}, after), folder)
    assert read(folder) == after and read(outside) == {}


@pytest.mark.parametrize("moves", range(5))
def test_a_failure_in_the_middle_puts_everything_back(tmp_path, monkeypatch, moves):
    before = {"a": (FILE, b"1\n"), "gone/x": (FILE, b"g\n"), "d": (FILE, b"d\n")}
    after = {"a": (FILE, b"2\n"), "d/new": (FILE, b"n\n")}
    folder = write(before, tmp_path / "f")
    done, real = [], os.rename

    def rename(*words, **options):
        if len(done) == moves:
            done.append("broken")
            raise OSError(28, "No space left on device")
        done.append(words)
        real(*words, **options)

    monkeypatch.setattr(local_tree.os, "rename", rename)
    with pytest.raises(Failed) as told:
        apply_patch(patch_between(before, after), folder)
    assert told.value.why == "No space left on device; nothing was changed" and "broken" in done
    assert read(folder) == before and sorted(os.listdir(folder)) == ["a", "d", "gone"]


def test_an_edit_that_comes_while_it_is_applied_is_seen(tmp_path, monkeypatch):
    folder = write({"a": (FILE, b"1\n")}, tmp_path / "f")
    real = local_tree._write

    def written(place, one):
        real(place, one)
        (folder / "a").write_bytes(b"newer\n")

    monkeypatch.setattr(local_tree, "_write", written)
    with pytest.raises(Conflict, match="a was changed while"):
        apply_patch(patch_between({"a": (FILE, b"1\n")}, {"a": (FILE, b"2\n")}), folder)
    assert read(folder) == {"a": (FILE, b"newer\n")}


def test_a_patch_without_a_files_content_says_so(tmp_path):
    patch = b"diff --git a/x.bin b/x.bin\nindex 1234567..89abcde 100644\nBinary files a/x.bin and b/x.bin differ\n"
    folder = write({"x.bin": (FILE, b"\0")}, tmp_path / "f")
    with pytest.raises(Conflict) as told:
        apply_patch(patch, folder, force=True)
    assert "only that binary files differ" in told.value.why


def test_no_folder_and_no_patch(tmp_path):
    with pytest.raises(NotFound):
        apply_patch(b"", tmp_path / "gone")
    assert apply_patch(b"", tmp_path).files == ()
    with pytest.raises(Failed) as told:
        apply_patch(b"nonsense", tmp_path)
    assert told.value.code == "bad_patch"


def test_the_users_git_index_is_left_alone(tmp_path):
    folder = write({"a": (FILE, b"1\n")}, tmp_path / "f")
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    index = (folder / ".git/index").read_bytes()
    apply_patch(patch_between({"a": (FILE, b"1\n")}, {"a": (FILE, b"22\n"), "n": (FILE, b"n")}), folder)
    assert (folder / ".git/index").read_bytes() == index
    status = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    assert status.stdout == " M a\n?? n\n"
