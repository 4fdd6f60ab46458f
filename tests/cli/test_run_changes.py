"""runs diff, apply and export, from a record alone."""

import base64
import io
import os
import tarfile

import pytest

from mesabox import app
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Where
from mesabox.switchboard import Switchboard
from mesabox.ui.streams import Streams

PATCH = b"""\
diff --git a/a.txt b/a.txt
old mode 100644
new mode 100755
index 814f4a4..2299c37
--- a/a.txt
+++ b/a.txt
@@ -1,2 +1,3 @@
 one
-two
+zwei
+drei
diff --git a/new name b/new name
new file mode 120000
index 0000000..7898192
--- /dev/null
+++ b/new name\t
@@ -0,0 +1 @@
+a.txt
\\ No newline at end of file
"""
FILES = [{"path": "a.txt", "status": "modified"}, {"path": "new name", "status": "added"}]


@pytest.fixture
def run(home, monkeypatch):
    """Makes a run's record; no service answers."""
    monkeypatch.setattr(Switchboard, "services", lambda *_, **__: pytest.fail("a service was asked"))

    def make(patch=PATCH, **facts):
        missing = facts.pop("missing", [])
        ledger = Ledger.create(home / "state/runs", "go", Where("local", "m", "s"), **facts)
        with ledger:
            if patch is not None:
                (ledger.folder / "changes.patch").write_bytes(patch)
                ledger.write("changes", change_id="k" * 32, commit_oid="c" * 40, files=FILES, missing=missing)
                ledger.write("end", exit_code=0)
        (ledger.folder / "stdout").write_bytes(b"out\n")
        return ledger.run_id

    return make


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "project"
    place.mkdir()
    (place / "a.txt").write_text("one\ntwo\n")
    return place


def test_diff_is_byte_for_byte(mesabox, run):
    text = run(PATCH)
    for terminal in (True, False):
        answer = mesabox("runs", "diff", text, terminal=terminal)
        assert (answer.code, answer.out, answer.err) == (0, PATCH.decode(), "")
    binary = b"diff --git a/x b/x\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+\xff\n"
    run_id = run(binary)
    data = mesabox("runs", "diff", run_id, "--json").envelope["data"]
    assert data["patch_encoding"] == "base64" and base64.b64decode(data["patch"]) == binary


def test_diff_stat(mesabox, run):
    run_id = run(PATCH)
    answer = mesabox("runs", "diff", "last", "--stat")
    assert (answer.code, answer.out, answer.err) == (0, "modified\ta.txt\t2\t1\nadded\tnew name\t1\t0\n", "")
    assert mesabox("runs", "diff", "last", "--stat", terminal=True).out == (
        "╭──────────┬──────────┬───────┬─────────╮\n"
        "│ status   │ path     │ added │ deleted │\n"
        "├──────────┼──────────┼───────┼─────────┤\n"
        "│ modified │ a.txt    │ 2     │ 1       │\n"
        "│ added    │ new name │ 1     │ 0       │\n"
        "╰──────────┴──────────┴───────┴─────────╯\n"
    )
    assert mesabox("runs", "diff", "last", "-q").out == "a.txt\nnew name\n"
    assert mesabox("runs", "diff", "last", "--stat", "--json").envelope["data"] == {
        "run_id": run_id,
        "files": [
            {"path": "a.txt", "status": "modified", "old_path": None, "additions": 2, "deletions": 1},
            {"path": "new name", "status": "added", "old_path": None, "additions": 1, "deletions": 0},
        ],
        "patch": None,
    }


def test_diff_of_nothing_and_of_what_cannot_be_read(mesabox, run):
    empty = run(b"")
    assert mesabox("runs", "diff", empty).out == ""
    assert mesabox("runs", "diff", empty, "--stat").err == "nothing changed\n"
    unreadable = run(b"nonsense", missing=[{"path": "a.txt", "why": "it was too large"}])
    answer = mesabox("runs", "diff", unreadable, "--stat")
    assert answer.out == "modified\ta.txt\t-\t-\nadded\tnew name\t-\t-\n"
    assert answer.err == "not in the patch: a.txt: it was too large\n"


@pytest.mark.parametrize("command", ["diff", "apply"])
def test_a_run_without_changes_on_record(mesabox, run, command):
    run(None)
    answer = mesabox("runs", command, "last", "--json")
    assert (answer.code, answer.envelope["error"]["code"]) == (3, "no_changes")
    assert mesabox("runs", command, "gone", "--json").envelope["error"]["code"] == "run_not_found"


def test_apply_here_there_and_where_it_came_from(mesabox, run, folder, monkeypatch):
    run(PATCH)
    answer = mesabox("runs", "apply", "last", str(folder))
    assert (answer.code, answer.out, answer.err) == (
        0, "applied\tmodified\ta.txt\napplied\tadded\tnew name\n", f"changed 2 files in {folder}\n",
    )  # fmt: skip
    assert (folder / "a.txt").read_text() == "one\nzwei\ndrei\n" and (folder / "a.txt").stat().st_mode & 0o100
    assert os.readlink(folder / "new name") == "a.txt"
    again = mesabox("runs", "apply", "last", str(folder))
    assert again.out == "already there\tmodified\ta.txt\nalready there\tadded\tnew name\n"
    assert again.err == f"all of it is in {folder} already\n"
    assert "already" in mesabox("runs", "apply", run(PATCH, source=str(folder))).err
    monkeypatch.chdir(folder)
    assert mesabox("runs", "apply", run(PATCH), "-q").out == ""
    assert mesabox("runs", "apply", run(b"")).err == "the run changed nothing\n"


def test_apply_dry_run_as_json(mesabox, run, folder):
    run_id = run(PATCH)
    data = mesabox("runs", "apply", "last", str(folder), "--dry-run", "--json").envelope["data"]
    assert data == {
        "run_id": run_id,
        "folder": str(folder),
        "dry_run": True,
        "files": [
            {"path": "a.txt", "status": "modified", "how": "applied", "old_path": None},
            {"path": "new name", "status": "added", "how": "applied", "old_path": None},
        ],
    }
    assert os.listdir(folder) == ["a.txt"] and (folder / "a.txt").read_text() == "one\ntwo\n"
    assert mesabox("runs", "apply", "last", str(folder), "--dry-run").err == f"would change 2 files in {folder}\n"


def test_apply_that_collides(mesabox, run, folder):
    run(PATCH)
    (folder / "a.txt").write_text("one\nmine\n")
    (folder / "new name").write_text("mine")
    answer = mesabox("runs", "apply", "last", str(folder))
    assert (answer.code, answer.out, answer.err) == (
        5,
        "",
        f"error: 2 files in {folder} collide with the run's changes; nothing was applied\n"
        "  why: a.txt: the same lines were edited here; new name: another file is there\n"
        "  fix: --force overwrites all but a.txt: move those away first\n",
    )
    assert mesabox("runs", "apply", "last", str(folder), "--json").envelope["error"]["code"] == "collision"
    (folder / "a.txt").write_text("zero\none\ntwo\n")
    assert mesabox("runs", "apply", "last", str(folder), "--force").code == 5  # the hunk began the file
    (folder / "a.txt").write_text("one\ntwo\n")
    assert mesabox("runs", "apply", "last", str(folder), "--force").out.endswith("overwritten\tadded\tnew name\n")
    assert mesabox("runs", "apply", "last", str(folder / "gone")).code == 3


def test_export_to_a_file(mesabox, run, tmp_path):
    run_id = run(PATCH)
    answer = mesabox("runs", "export", "last")
    assert (answer.code, answer.out, answer.err) == (0, f"{run_id}.tar.gz\n", "")
    assert mesabox("runs", "export", "last", "-q", "-o", "x.tgz").out == "x.tgz\n"
    data = mesabox("runs", "export", "last", "-o", "x.tgz", "--json").envelope["data"]
    assert data["members"] == ["changes.patch", "events.ndjson", "stdout"] and data["size"] > 100
    assert (tmp_path / "x.tgz").stat().st_mode & 0o777 == 0o600 and not list(tmp_path.glob(".x.tgz*"))
    with tarfile.open(tmp_path / "x.tgz") as archive:
        assert archive.extractfile(f"{run_id}/changes.patch").read() == PATCH
        assert {(one.uid, one.uname) for one in archive.getmembers()} == {(0, "")}
    assert mesabox("runs", "export", "last", "-o", "/dev/null").code == 0 and not os.path.isfile("/dev/null")
    assert mesabox("runs", "export", "last", "-o", "/no/such/folder/x").code == 1


def test_export_to_stdout(mesabox, run):
    run(PATCH)
    refused = mesabox("runs", "export", "last", "-o", "-", terminal=True)
    assert (refused.code, refused.out) == (2, "") and "terminal" in refused.err
    assert mesabox("runs", "export", "last", "-o", "-", "--json").envelope["error"]["code"] == "usage"
    streams = Streams.fake()
    assert app.main(["runs", "export", "last", "-o", "-"], streams) == 0
    written = io.BytesIO(streams.stdout.raw.getvalue())
    with tarfile.open(fileobj=written) as archive:
        assert {os.path.basename(name) for name in archive.getnames()} == {"changes.patch", "events.ndjson", "stdout"}
