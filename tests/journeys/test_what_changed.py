"""What runs changed: shown, applied to a folder, and a folder seeded into a mount; git is the judge."""

import os
import shutil
import subprocess
import tarfile

import pytest

from mesabox.clients.base import Secret
from mesabox.clients.mesa.client import MesaClient
from mesabox.clients.mesa.credentials import ApiKey
from mesabox.clients.sprites.client import SpritesClient, SpritesToken
from mesabox.clients.transport import Transport
from mesabox.errors import Failed
from mesabox.flow.collect import collect, note_base
from mesabox.flow.record.runs import Where
from mesabox.flow.seed.seeding import seed
from mesabox.flow.seed.source import read_source
from mesabox.flow.services import Services
from tests.flow import trees

MAKE = r"""
set -e
seq 1 40 > text; seq 1 40 > mode; seq 1 40 > 'old name'; seq 1 40 > old-edited; chmod +x old-edited
printf 'no end' > no-end; : > empty; : > empty-gone; printf '\0\1\2' > binary; printf '\0gone' > binary-gone
printf '\351\n' > latin; seq 1 9 > unmode; chmod +x unmode
mkdir -p dir/deep gone; echo 1 > dir/deep/file; echo 2 > gone/file; echo file > to-dir; echo t > to-link
printf '\0' > binary-to-link
ln -s text link; ln -s text link-gone; ln -s text link-to-file
echo q > 'with "quotes"'; echo u > ünïcode; printf x > "$(printf 'new\nline')"
"""
EDIT = r"""
set -e
sed -i 's/^20$/twenty/' text; chmod +x mode; chmod -x unmode; mv 'old name' dir/new
mv old-edited new-edited; sed -i 's/^9$/nine/' new-edited
printf 'still none' > no-end; rm empty-gone binary-gone gone/file; printf '\0\1\3' > binary; printf '\0new' > binary-new
chmod +x binary; printf '\352\n' > latin; : > empty-new
rm to-dir; mkdir to-dir; echo inside > to-dir/file; rm -r dir/deep; echo now a file > dir/deep
rm to-link; ln -s dir/new to-link; rm binary-to-link; ln -s text binary-to-link
ln -sfn dir link; rm link-gone; rm link-to-file; echo was a link > link-to-file; ln -s nowhere link-new
echo q2 >> 'with "quotes"'; echo u2 >> ünïcode; printf y > "$(printf 'new\nline')"; echo 'sp ace' > ' a b '
"""


def git(folder, *words, **options):
    words = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.quotepath=off", *words)
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True, **options).stdout


def done_here(folder, *scripts):
    """The scripts' doing in a folder of this machine: what the runs' must equal."""
    folder.mkdir()
    for script in scripts:
        subprocess.run(["sh", "-c", script], cwd=folder, check=True)
    return folder


@pytest.fixture
def runs(mesabox):
    """A repo made by one run and edited by the next."""
    mesabox("go", "--repo", "changing", "--", "sh", "-c", "rm -rf ./* ./' a b '" + MAKE)
    mesabox("go", "--repo", "changing", "--", "sh", "-c", EDIT)
    return mesabox


def test_a_runs_changes_are_whole(runs, tmp_path):
    mesabox = runs
    patch = mesabox("runs", "diff", "last").stdout
    assert b"GIT binary patch" in patch and b"Binary files" not in patch
    before, wanted = done_here(tmp_path / "before", MAKE), trees.read(done_here(tmp_path / "wanted", MAKE, EDIT))

    by_git = shutil.copytree(before, tmp_path / "by-git", symlinks=True)
    git(by_git, "init", "-q")
    git(by_git, "apply", "--whitespace=nowarn", input=patch)
    assert trees.read(by_git) == wanted
    git(by_git, "apply", "--whitespace=nowarn", "-R", input=patch)
    assert trees.read(by_git) == trees.read(before)

    git(before, "init", "-q")
    git(before, "add", "-A")
    git(before, "commit", "-qm", "x")
    told = mesabox.json("runs", "apply", "last", str(before), "--dry-run")
    assert told["data"]["dry_run"] and git(before, "status", "--porcelain") == b""
    mesabox("runs", "apply", "last", str(before))
    assert trees.read(before) == wanted
    git(before, "add", "-A")
    shown = git(before, "status", "--porcelain").decode()
    assert 'R  "old name" -> dir/new' in shown and "T  to-link" in shown and "M  mode" in shown and "D  to-dir" in shown
    again = mesabox("runs", "apply", "last", str(before))
    assert b"in" in again.stderr and b"already" in again.stderr and trees.read(before) == wanted


def test_the_service_tells_each_kind_of_change(runs):
    files = runs.json("runs", "show", "last")["data"]["files"]
    told = {file["path"]: file["status"] for file in files}
    assert told == {
        " a b ": "added", "binary": "modified", "binary-gone": "deleted", "binary-new": "added",
        "binary-to-link": "modified", "dir/deep": "added", "dir/deep/file": "deleted", "dir/new": "renamed",
        "empty-new": "renamed", "gone/file": "deleted", "latin": "modified", "link": "modified", "link-gone": "deleted",
        "link-new": "added", "link-to-file": "modified", "mode": "modified", "new\nline": "modified",
        "new-edited": "renamed", "no-end": "modified", "text": "modified", "to-dir": "deleted", "to-dir/file": "added",
        "to-link": "modified", "unmode": "modified", 'with "quotes"': "modified", "ünïcode": "modified",
    }  # fmt: skip
    stat = {
        file["path"]: (file["additions"], file["deletions"])
        for file in runs.json("runs", "diff", "last", "--stat")["data"]["files"]
    }
    assert stat["text"] == (1, 1) and stat["mode"] == (0, 0) and stat["binary"] == (None, None)


def test_newer_edits_are_not_written_over(runs, tmp_path):
    folder = done_here(tmp_path / "mine", MAKE, "sed -i 's/^20$/mine/' text; printf mine > binary; echo end >> ünïcode")
    before = trees.read(folder)
    refused = runs("runs", "apply", "last", str(folder), ok=False)
    assert refused.returncode == 5 and trees.read(folder) == before
    told = refused.stderr.decode()
    assert "text: the same lines were edited here" in told and "binary:" in told and "--force" in told


def test_it_works_without_an_engine(runs, tmp_path):
    patch = runs("runs", "diff", "last").stdout
    runs("engine", "stop")
    folder = done_here(tmp_path / "folder", MAKE)
    assert runs("runs", "diff", "last").stdout == patch
    runs("runs", "apply", "last", str(folder))
    file = tmp_path / "run.tar.gz"
    runs("runs", "export", "last", "-o", str(file))
    assert runs.json("engine", "status")["data"]["running"] is False
    with tarfile.open(file) as archive:
        names = {os.path.basename(name) for name in archive.getnames()}
        member = next(one for one in archive.getmembers() if one.name.endswith("changes.patch"))
        assert archive.extractfile(member).read() == patch
    assert names == {"events.ndjson", "stdout", "stderr", "changes.patch"} and file.stat().st_mode & 0o777 == 0o600
    streamed = runs("runs", "export", "last", "-o", "-").stdout
    assert streamed[:2] == b"\x1f\x8b"


class Seeding:
    """A lasting sprite with a repo mounted, and the flow's own functions for it."""

    def __init__(self, mesabox, env, name):
        self.mesabox, self.name = mesabox, name
        mesabox("repo", "create", name, "--if-not-exists")
        mesabox("sprite", "up", name)
        self.folder = mesabox.value("mount", name, "--repo", name)
        repos = MesaClient(Transport("Mesa", env["MESA_API_URL"], key := ApiKey(Secret(env["MESA_API_KEY"]))), key)
        token = SpritesToken(Secret(env["SPRITES_TOKEN"]))
        sandboxes = SpritesClient(Transport("Sprites", env["SPRITES_API_URL"], token))
        self.services = Services(repos, sandboxes, Where("local", env["MESA_API_URL"], env["SPRITES_API_URL"]))

    async def seed(self, source):
        return await seed(self.services, self.name, self.folder, source, repo=self.name, bookmark="main", run="")

    async def base(self):
        head = await self.services.repos.bookmark(self.name, "main")
        return await note_base(self.services.repos, self.name, "main", head.change_id)

    async def collect(self, base):
        return await collect(self.services, self.name, base, sprite=self.name, folder=self.folder, run="")

    def in_mount(self, script):
        return self.mesabox("run", self.name, "--repo", self.name, "--", "sh", "-c", script).stdout


@pytest.fixture
async def seeding(mesabox, engine_env, request):
    name = "seed-" + request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    made = Seeding(mesabox, engine_env, name)
    yield made
    await made.services.repos.aclose()
    await made.services.sandboxes.aclose()
    mesabox("down", name)


async def test_a_folder_is_seeded_worked_on_and_gets_the_changes_back(seeding, tmp_path):
    more = "mkdir node_modules core build; echo x > node_modules/x; echo c > core/tracked; echo b > build/tracked"
    folder = done_here(tmp_path / "project", MAKE, more)
    (folder / ".gitignore").write_text("node_modules/\nbuild/\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "add", "-f", "build/tracked")
    git(folder, "commit", "-qm", "x")
    source = read_source(folder)
    assert not source.dirty and {one.path for one in source.left_out} == {"node_modules/"}
    seeded = await seeding.seed(source)
    assert (seeded.sent, seeded.removed, seeded.not_kept) == (len(source.files), 0, ())
    assert seeding.in_mount("cat build/tracked core/tracked") == b"b\nc\n"
    assert b"node_modules" not in seeding.in_mount("ls -A")

    base = await seeding.base()
    again = await seeding.seed(read_source(folder))
    assert not again.changed and again.unchanged == len(source.files) and await seeding.base() == base
    assert (await seeding.collect(base)).entries == ()

    seeding.in_mount(EDIT)
    changes = await seeding.collect(base)
    assert changes.patch and changes.missing == ()
    git(folder, "apply", "--whitespace=nowarn", input=changes.patch)
    wanted = {**trees.read(done_here(tmp_path / "wanted", MAKE, EDIT))}
    found = {path: entry for path, entry in trees.read(folder).items() if path in wanted}
    assert found == wanted


async def test_seeding_another_folder_leaves_exactly_that(seeding, tmp_path):
    await seeding.seed(read_source(done_here(tmp_path / "one", MAKE)))
    seeding.in_mount("echo '*.local' > .gitignore; echo stays > to-dir.local")
    wanted = done_here(tmp_path / "two", MAKE, EDIT)
    seeded = await seeding.seed(read_source(wanted))
    assert seeded.removed and seeded.unchanged
    base = await seeding.base()
    tree = await seeding.services.repos.tree(seeding.name, change_id=base.change_id, depth=10)
    modes = {"100644": trees.FILE, "100755": trees.EXECUTABLE, "120000": trees.LINK}
    found = {
        one.path: (modes[one.mode], await seeding.services.repos.read_file(seeding.name, one.path))
        for one in tree
        if one.type != "dir" and one.path != "to-dir.local"
    }
    assert found == trees.read(wanted)
    assert seeding.in_mount("cat to-dir.local") == b"stays\n"


async def test_ten_thousand_files(seeding, tmp_path):
    folder = tmp_path / "many"
    for number in range(10_000):
        place = folder / f"d{number % 100}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(f"{number}\n")
    seeded = await seeding.seed(read_source(folder))
    assert seeded.sent == 10_000
    (folder / "d1/1.txt").write_text("2\n")
    shutil.rmtree(folder / "d2")
    seeded = await seeding.seed(read_source(folder))
    assert (seeded.sent, seeded.removed, seeded.unchanged) == (1, 100, 9_899)
    assert seeding.in_mount("cat d1/1.txt; ls | wc -l") == b"2\n99\n"


async def test_a_seeding_that_fails_says_at_which_step(seeding, tmp_path):
    source = read_source(done_here(tmp_path / "one", "echo a > a; echo b > b"))
    (tmp_path / "one/b").unlink()
    with pytest.raises(Failed) as told:
        await seeding.seed(source)
    assert "stopped at sending its files" in told.value.what and "b changed while it was read" in told.value.why
    seeding.folder += "-elsewhere"
    (tmp_path / "one/b").touch()
    with pytest.raises(Failed) as told:
        await seeding.seed(source)
    assert told.value.code == "seed_failed" and "cd" in told.value.why
