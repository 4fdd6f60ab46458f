"""Faults as they are typed and shown, and what plain commands make of them."""

from faulty_engine import SPRITE


def test_on_a_running_engine(engine):
    begun = engine.mesabox("engine", "start", "--fault", "no-exit=x1", "--fault", "cut=0:0-10", "--fault-seed", "42")
    assert b"the engine runs already" in begun.stderr and b"--fault-seed 42" in begun.stderr
    assert b"no-exit=x1\t0" in begun.stdout
    data = engine.mesabox.json("engine", "status")["data"]["faults"]
    on = [{"fault": "no-exit=x1", "fired": 0}, {"fault": "cut=0:0-10", "fired": 0}]
    assert data == {"seed": 42, "on": on}
    assert engine.mesabox.json("engine", "start")["data"]["faults"] == data
    listed = engine.mesabox("sprite", "list")
    first = listed.stderr.decode().splitlines()[0]
    assert first.startswith("engine: local (") and first.endswith("; FAULTS ON: no-exit=x1, cut=0:0-10)")
    assert engine.mesabox.json("run", SPRITE, "--", "true")["exit_code"] == 125
    assert b"no-exit=x1\t1" in engine.mesabox("engine", "status").stdout
    cleared = engine.mesabox.json("engine", "start", "--fault", "none")["data"]["faults"]
    assert cleared == engine.mesabox.json("engine", "status")["data"]["faults"] == {"seed": None, "on": []}
    assert b"FAULTS" not in engine.mesabox("sprite", "list").stderr


def test_a_drawn_seed_repeats(engine):
    def outcomes(*seed):
        data = engine.mesabox.json("engine", "start", "--fault", "wrong-exit=0.5:9", *seed)["data"]
        codes = [engine.mesabox("run", SPRITE, "--", "true", ok=False).returncode for _ in range(5)]
        return data["faults"]["seed"], codes

    seed, codes = outcomes()
    assert set(codes) <= {0, 9} and outcomes("--fault-seed", str(seed)) == (seed, codes)


def test_what_does_not_fit(engine):
    engine.set("hang=0")
    unknown = engine.mesabox("engine", "start", "--fault", "no-exits", ok=False)
    assert unknown.returncode == 2
    assert (
        b"there is no fault 'no-exits'; there is no-exit" in unknown.stderr and b"mesabox help faults" in unknown.stderr
    )
    for words in (["--fault-seed", "1"], ["--fault", "none", "--fault", "cut"], ["--fault", "cut=7"]):
        assert engine.mesabox.json("engine", "start", *words)["exit_code"] == 2
    assert engine.fired == {"hang=0": 0}


def test_they_end_with_the_engine(engine):
    engine.set("unavailable")
    engine.mesabox("engine", "stop")
    engine.mesabox("engine", "start")
    assert engine.mesabox.json("engine", "status")["data"]["faults"]["on"] == []


def test_run_never_takes_a_lost_exit_for_success(engine):
    for fault in ("no-exit", "close-1011", "lost-output", "cut:100"):
        engine.set(fault)
        told = engine.mesabox.json("run", SPRITE, "--", "true")
        assert (told["exit_code"], told["error"]["code"]) == (125, "outcome_unknown"), fault
        assert told["data"] is None or told["data"]["failed_by"] == "service", fault


def test_a_cut_run_is_unknown_or_complete(engine):
    engine.set("cut:0-500")
    seen = set()
    for _ in range(10):
        done = engine.mesabox("run", SPRITE, "--", "sh", "-c", "echo out; exit 3", ok=False)
        seen.add((done.returncode, done.stdout if done.returncode == 3 else b""))
    assert seen == {(3, b"out\n"), (125, b"")}


def test_go_whose_mount_fails_once(engine):
    engine.set("mount-fails=x1")
    failed = engine.mesabox.json("go", "--repo", "unlucky", "--", "true")
    assert (failed["exit_code"], failed["error"]["code"]) == (125, "mount_failed")
    assert engine.mesabox.json("go", "--repo", "unlucky", "--", "true")["exit_code"] == 0
    assert engine.fired == {"mount-fails=x1": 1}


def test_output_that_comes_after_the_exit_is_not_lost(engine):
    engine.set("output-after-exit")
    done = engine.mesabox("run", SPRITE, "--", "sh", "-c", "echo out; exit 3", ok=False)
    assert (done.returncode, done.stdout) == (3, b"out\n")
