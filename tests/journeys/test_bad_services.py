"""Whole flows while the services misbehave: the truth in the exit code, all of the output, nothing left behind."""

import subprocess

import pytest

from mesabox.clients.base import Secret
from mesabox.clients.mesa.client import MesaClient
from mesabox.clients.mesa.credentials import ApiKey
from mesabox.clients.sprites.client import SpritesClient, SpritesToken
from mesabox.clients.transport import Transport
from mesabox.flow.collect import collect, note_base
from mesabox.flow.record.runs import Where
from mesabox.flow.services import Services
from tests.conftest import Terminal, environment_of

LATE = "rm gone; mv old new; chmod +x mode; ln -sfn b link; printf 2 > same; exit 3"
BEFORE = "for f in gone old mode same; do printf $f > $f; done; printf 1 > same; ln -s a link"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """An engine of this file's own, whose faults nobody else meets."""
    home = tmp_path_factory.mktemp("bad")
    terminal = Terminal(home, environment_of(home))
    terminal("engine", "start")
    yield terminal
    terminal("engine", "stop")
    terminal("engine", "reset", "--yes")


@pytest.fixture
def bad(world):
    """Sets faults; without any in the end, everything that is left can be removed."""

    def faults(*names, seed=1):
        words = [word for name in names for word in ("--fault", name)]
        world("engine", "start", *words, "--fault-seed", str(seed))
        return world

    yield faults
    world("engine", "start", "--fault", "none")
    world("gc")
    assert world.json("sprite", "list")["data"] == [] and world.json("key", "list")["data"] == []


def changed(terminal, *words):
    """(the envelope, status by path) of a `go`."""
    told = terminal.json("go", *words)
    return told, {one["path"]: one["status"] for one in told["data"]["changes"]["files"]}


def test_every_kind_of_late_edit_is_waited_for(world, bad):
    world("go", "--repo", "late", "--", "sh", "-c", BEFORE)
    bad("late-edits:1500ms")
    told, files = changed(world, "--repo", "late", "--", "sh", "-c", LATE)
    assert told["exit_code"] == 3 and files.keys() == {"gone", "new", "mode", "link", "same"}
    assert (files["gone"], files["new"]) == ("deleted", "renamed")


async def test_what_is_too_late_is_named(world, bad):
    world("go", "--repo", "never", "--sprite", "slow", "--keep", "always", "--", "true")
    world("mount", "slow", "--repo", "never")
    folder = world("run", "slow", "--repo", "never", "--", "pwd").stdout.decode().strip()
    bad("late-edits:1h@EDIT my-org/never")
    env = world.json("engine", "env")["data"]
    key = ApiKey(Secret(env["MESA_API_KEY"]))
    repos = MesaClient(Transport("Mesa", env["MESA_API_URL"], key), key)
    sandboxes = SpritesClient(Transport("Sprites", env["SPRITES_API_URL"], SpritesToken(Secret(env["SPRITES_TOKEN"]))))
    services = Services(repos, sandboxes, Where("local", env["MESA_API_URL"], env["SPRITES_API_URL"]))
    base = await note_base(repos, "never", "main", (await repos.bookmark("never", "main")).change_id)
    world("run", "slow", "--repo", "never", "--", "sh", "-c", "echo x > f")
    changes = await collect(services, "never", base, sprite="slow", folder=folder, run="", limit=1.5)
    assert (changes.late, changes.entries, changes.incomplete.code) == (("f",), (), "collect_incomplete")
    assert "does not have f" in changes.incomplete.why
    await repos.aclose()
    await sandboxes.aclose()
    world("engine", "start", "--fault", "none")
    world("down", "slow")


@pytest.mark.parametrize(
    "fault", ["output-after-exit", "no-exit", "wrong-exit:0", "json-exit-early", "lost-output=0.3", "cut=0.3:0-2000"]
)
def test_the_output_and_the_code_are_the_commands(world, bad, fault):
    bad(fault)
    told, files = changed(world, "--repo", "ends", "--", "sh", "-c", "seq 1000; date +%s%N > f; exit 3")
    assert told["exit_code"] == 3 and files.keys() == {"f"}
    assert told["data"]["stdout"] == "".join(f"{number}\n" for number in range(1, 1001))


def test_a_seed_arrives_over_bad_connections(world, bad, tmp_path):
    folder = tmp_path / "project"
    (folder / "d").mkdir(parents=True)
    for name in ("a", "b", "d/c"):
        (folder / name).write_text(name * 5000)
    bad("cut=0.4:0-20000", "late-edits:1s", "stdin-lost=0.2")
    script = "wc -c < d/c; rm a; echo new > n; chmod +x b"
    done = world("go", "--repo", "seeded", "--from", str(folder), "--apply", "--", "sh", "-c", script)
    assert done.stdout == b"15000\n"
    listed = subprocess.run(
        ["find", ".", "-type", "f", "-printf", "%P %m\n"], cwd=folder, capture_output=True, text=True
    )
    assert sorted(line[:-2] for line in listed.stdout.splitlines()) == ["b 7", "d/c 6", "n 6"]


def test_refused_commands_are_tried_again(world, bad):
    world("sprite", "up", "busy")
    bad("rate-limit=x2:1@WS /v1/sprites/busy", "sprite-not-ready=x1@WS /v1/sprites/busy")
    assert world("run", "busy", "--", "echo", "out").stdout == b"out\n"
    world("sprite", "destroy", "busy")
