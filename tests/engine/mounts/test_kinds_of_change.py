"""Every kind of change that can be made in a mount, as Mesa's diff and patch tell it; the patch judged by git."""

import os
import shutil
import subprocess

import pytest

ROWS = b"".join(b"%d\n" % number for number in range(40))


def make(place):
    files = {"mode": ROWS, "unmode": b"u\n", "old": ROWS + b"old\n", "to link": b"l\n", "to dir": b"d\n",
             "gone": b"g\n", "dir/to file": b"f\n", "moved": ROWS + b"moved\n", "bin": b"\0\1",
             "was empty": b""}  # fmt: skip
    for path, content in files.items():
        (place / path).parent.mkdir(exist_ok=True)
        (place / path).write_bytes(content)
    (place / "unmode").chmod(0o755)
    (place / "link").symlink_to("mode")
    (place / "link gone").symlink_to("mode")
    (place / "link to file").symlink_to("mode")


def change(place):
    (place / "mode").chmod(0o755)
    (place / "unmode").chmod(0o644)
    os.rename(place / "old", place / "dir" / "new")
    for path in ("to link", "to dir", "gone", "link", "link gone", "link to file", "dir/to file"):
        (place / path).unlink()
    (place / "to link").symlink_to("mode")
    (place / "to dir").mkdir()
    (place / "to dir" / "x").write_text("x\n")
    (place / "link").symlink_to("dir")
    (place / "link new").symlink_to("nowhere")
    (place / "link to file").write_text("a file\n")
    os.rename(place / "moved", place / "moved here")
    (place / "moved here").write_bytes(ROWS + b"moved and edited\n")
    (place / "bin").write_bytes(b"\0\2")
    (place / "was empty").chmod(0o755)
    shutil.copy2(place / "unmode", place / "copied")


def listed(place):
    """git's own view of a folder."""
    subprocess.run(["git", "add", "-A"], cwd=place, check=True)
    told = subprocess.run(["git", "ls-files", "-sz"], cwd=place, check=True, capture_output=True).stdout
    return sorted(told.split(b"\0"))


@pytest.fixture
async def commits(world):
    """The commits before and after."""
    await world.post("repos", name="work")
    _, place = await world.mounted("one")
    make(place)
    change_id = await world.head()
    before = (await world.http.get(f"/my-org/work/changes/{change_id}")).json()["current_commit_oid"]
    change(place)
    assert await world.head() == change_id
    after = (await world.http.get(f"/my-org/work/changes/{change_id}")).json()["current_commit_oid"]
    return {"base_change_id": before, "head_change_id": after}


async def test_each_is_told_once(world, commits):
    told = (await world.http.get("/my-org/work/diff", params=commits)).json()
    entries = [(entry["path"], entry["status"], entry["old_path"]) for entry in told["entries"]]
    assert sorted(entries) == [
        ("bin", "modified", None),
        ("copied", "added", None),
        ("dir/new", "renamed", "old"),
        ("dir/to file", "deleted", None),
        ("gone", "deleted", None),
        ("link", "modified", None),
        ("link gone", "deleted", None),
        ("link new", "added", None),
        ("link to file", "modified", None),
        ("mode", "modified", None),
        ("moved here", "renamed", "moved"),
        ("to dir", "deleted", None),
        ("to dir/x", "added", None),
        ("to link", "modified", None),
        ("unmode", "modified", None),
        ("was empty", "modified", None),
    ]
    modes = {entry["path"]: entry["hunks"] for entry in told["entries"]}
    assert modes["mode"] == modes["unmode"] == modes["was empty"] == [] and modes["bin"] is None


async def test_a_file_moved_to_where_a_link_was_is_told_by_both_paths(world):
    await world.post("repos", name="work")
    _, place = await world.mounted("one")
    (place / "moved").write_bytes(ROWS)
    (place / "link").symlink_to("moved")
    change_id = await world.head()
    before = (await world.http.get(f"/my-org/work/changes/{change_id}")).json()["current_commit_oid"]
    (place / "link").unlink()
    os.rename(place / "moved", place / "link")
    wanted = {"base_change_id": before, "head_change_id": change_id}
    told = (await world.http.get("/my-org/work/diff", params=wanted)).json()
    entries = [(entry["path"], entry["status"], entry["old_path"]) for entry in told["entries"]]
    assert sorted(entries) == [("link", "modified", None), ("moved", "deleted", None)]
    headers = {"accept": "text/plain"}
    patch = (await world.http.get("/my-org/work/diff", params=wanted, headers=headers)).text
    lines = [line for line in patch.splitlines() if line.startswith(("diff", "deleted", "new"))]
    assert lines == [
        "diff --git a/link b/link",
        "deleted file mode 120000",
        "diff --git a/link b/link",
        "new file mode 100644",
        "diff --git a/moved b/moved",
        "deleted file mode 100644",
    ]


async def test_git_applies_the_patch_but_for_what_is_binary(world, commits, tmp_path):
    headers = {"accept": "text/plain"}
    patch = (await world.http.get("/my-org/work/diff", params=commits, headers=headers)).content
    folder, wanted = tmp_path / "folder", tmp_path / "wanted"
    for place in (folder, wanted):
        place.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=place, check=True)
        make(place)
    change(wanted)
    subprocess.run(["git", "apply", "--exclude=bin"], cwd=folder, input=patch, check=True)
    (folder / "bin").write_bytes(b"\0\2")
    assert listed(folder) == listed(wanted) and b"Binary files a/bin and b/bin differ\n" in patch
