"""A folder as git would take it: judged by git itself."""

import os
import random
import socket
import subprocess

import pytest

from mesabox.errors import UsageProblem
from mesabox.flow.seed.source import left_out_summary, read_source

PATTERNS = [
    "*.log", "!keep.log", "/a", "a/", "!a/", "d/*.c", "**/x", "x/**", "!x/y", "b*", "*", "!*/", "!*.txt", "foo/bar",
    "/d/", "!d/e", "[ab].txt", "a/**/b", r"\#h", "# c", "e", "!e", "/*", "!/d", "a?", "*.c ", r"q\ ", "**/", "/**/z",
]  # fmt: skip
NAMES = ["a", "b", "d", "e", "x", "y", "keep.log", "m.log", "a.txt", "q.c", "foo", "bar", "#h", "z", "q ", "é.txt"]


def git(folder, *words):
    words = ["-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True).stdout.decode()


def paths(source):
    return [file.path for file in source.files]


def left(source):
    return {one.path: one.why for one in source.left_out}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def grow(choose, folder):
    folders = [""]
    for _ in range(choose.randint(2, 6)):
        place = os.path.join(choose.choice(folders), choose.choice(NAMES))
        (folder / place).mkdir(parents=True, exist_ok=True)
        folders.append(place)
    for _ in range(15):
        place = folder / choose.choice(folders) / choose.choice(NAMES)
        if not place.exists():
            place.touch()
    for place in choose.sample(folders, 2):
        rules = "\n".join(choose.choice(PATTERNS) for _ in range(choose.randint(1, 4)))
        (folder / place / ".gitignore").write_text(rules + "\n")


@pytest.mark.parametrize("tracked", [False, True])
def test_what_git_takes_is_taken(folder, tracked):
    for seed in range(40):
        place = folder / str(seed)
        place.mkdir()
        choose = random.Random(seed)
        grow(choose, place)
        outside = set(paths(read_source(place)))
        git(place, "init", "-q")
        if tracked:
            every = [path for path in git(place, "ls-files", "-oz").split("\0") if path]
            git(place, "add", "-f", "--", *choose.sample(every, len(every) // 2))
        wanted = {path for path in git(place, "ls-files", "-coz", "--exclude-standard").split("\0") if path}
        assert set(paths(read_source(place))) == wanted, seed
        assert tracked or outside == wanted, seed


def test_kinds_and_what_is_left_out(folder):
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "plain").write_text("plain")
    (folder / "real").mkdir()
    (folder / "real/x").touch()
    (folder / "to-folder").symlink_to("./real/")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "empty/empty").mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "sock"))
    (folder / "node_modules/a").mkdir(parents=True)
    (folder / "node_modules/a/index.js").touch()
    (folder / ".gitignore").write_text("node_modules/\n*.log\n")
    (folder / "a.log").touch()
    (folder / ".DS_Store").touch()
    (folder / "core").touch()
    (folder / os.fsdecode(b"latin-\xe9")).touch()
    git(folder, "init", "-q", "nested")
    (folder / "nested/x").touch()
    (folder / ".git").mkdir()
    source = read_source(folder)
    found = {file.path: (file.kind, file.executable, file.size, file.target) for file in source.files}
    assert found == {
        ".gitignore": ("file", False, 20, ""),
        "dangling": ("symlink", False, 7, "nowhere"),
        "plain": ("file", False, 5, ""),
        "real/x": ("file", False, 0, ""),
        "run.sh": ("file", True, 10, ""),
        "to-folder": ("symlink", False, 7, "./real/"),
    }
    assert left(source) == {
        ".DS_Store": "Mesa keeps no such file",
        "a.log": "ignored by git",
        "core": "Mesa keeps no such file",
        "empty/": "empty",
        os.fsdecode(b"latin-\xe9"): "its name is not UTF-8",
        "nested/": "a git repository of its own",
        "node_modules/": "ignored by git",
        "pipe": "a named pipe",
        "sock": "a socket",
    }
    assert (source.dirty, source.commit, source.size) == (False, None, 49)
    assert left_out_summary(source, most=1) == "left out: .DS_Store (Mesa keeps no such file), and 8 more"


def test_what_cannot_be_read_is_left_out(folder, monkeypatch):
    for name in ("secret", "fine", "locked/x"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    access, scandir = os.access, os.scandir  # root reads everything

    def listed(place):
        if str(place).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(place)

    monkeypatch.setattr(os, "access", lambda place, how: "secret" not in str(place) and access(place, how))
    monkeypatch.setattr(os, "scandir", listed)
    source = read_source(folder)
    assert paths(source) == ["fine"]
    why = "cannot be read: Permission denied"
    assert left(source) == {"locked/": why, "secret": why}


def test_tracked_files_count_though_they_are_ignored(folder):
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("build/\n")
    for name in ("build/kept", "build/made", "core/a.py", "core/new.py", "normal"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    git(folder, "add", "-f", "build/kept", "core/a.py", "normal", ".gitignore")
    source = read_source(folder)
    assert paths(source) == [".gitignore", "build/kept", "core/a.py", "normal"]
    assert [file.path for file in source.files if file.forced] == ["build/kept", "core/a.py"]
    assert left(source) == {"build/made": "ignored by git", "core/new.py": "Mesa keeps no such file"}


def test_the_git_tree_it_is_in(folder):
    git(folder, "init", "-q")
    (folder / "sub").mkdir()
    (folder / "sub/a").write_text("1")
    (folder / "gone").write_text("1")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    head = git(folder, "rev-parse", "HEAD").strip()
    assert (read_source(folder).dirty, read_source(folder).commit) == (False, head)
    (folder / "sub/x.log").touch()
    below = read_source(folder / "sub")
    assert (paths(below), left(below), below.dirty, below.commit) == (["a"], {"x.log": "ignored by git"}, False, head)
    (folder / "gone").unlink()
    assert (read_source(folder).dirty, read_source(folder / "sub").dirty) == (True, False)
    assert "gone" not in paths(read_source(folder))
    (folder / "sub/new").touch()
    assert read_source(folder / "sub").dirty
    (folder / "sub/new").unlink()
    (folder / "sub/a").write_text("2")
    assert read_source(folder / "sub").dirty


def test_a_folder_that_its_repository_ignores_is_taken_for_itself(folder):
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("*\n")
    (folder / "sub").mkdir()
    (folder / "sub/a").touch()
    below = read_source(folder / "sub")
    assert (paths(below), below.commit, below.dirty) == (["a"], None, False)


def test_submodules_are_left_out(folder, tmp_path):
    for place in (folder, tmp_path / "other"):
        place.mkdir(exist_ok=True)
        git(place, "init", "-q")
        (place / "a").touch()
        git(place, "add", "a")
        git(place, "commit", "-qm", "x")
    git(folder, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "other"), "module")
    source = read_source(folder)
    assert paths(source) == [".gitmodules", "a"] and left(source) == {"module/": "a git submodule"}


def test_a_worktree_is_a_git_tree_too(folder, tmp_path):
    git(folder, "init", "-q")
    (folder / "a").touch()
    git(folder, "add", "a")
    git(folder, "commit", "-qm", "x")
    git(folder, "worktree", "add", "-q", str(tmp_path / "tree"))
    source = read_source(tmp_path / "tree")
    assert paths(source) == ["a"] and source.commit and not source.dirty


def test_tracked_names_that_are_not_utf8_do_no_harm(folder):
    git(folder, "init", "-q")
    (folder / os.fsdecode(b"caf\xe9")).touch()
    (folder / "fine").touch()
    git(folder, "add", "-A")
    source = read_source(folder)
    assert paths(source) == ["fine"] and "its name is not UTF-8" in left(source).values()


def test_folders_that_are_not_taken(folder, monkeypatch):
    (folder / "file").touch()
    (folder / "link").symlink_to("nowhere")
    monkeypatch.setenv("HOME", str(folder))
    for place in (folder / "gone", folder / "file", folder / "link", folder, folder.parent / "project/../project"):
        with pytest.raises(UsageProblem) as told:
            read_source(place)
        assert told.value.why and told.value.fix
    with pytest.raises(UsageProblem):
        read_source(folder.parent.parent.__class__("/"))
