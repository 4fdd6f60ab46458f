"""The flow step by step, as a shell script would do it; each step twice is harmless."""


def test_every_step_by_itself_twice(mesabox):
    for _ in range(2):
        assert mesabox.value("repo", "create", "by-hand", "--if-not-exists") == "by-hand"
    key = mesabox.value("key", "mint", "--repo", "by-hand", "--ttl", "1h")
    for _ in range(2):
        assert mesabox.value("sprite", "up", "hand-made") == "hand-made"
    for _ in range(2):
        folder = mesabox.value("mount", "hand-made", "--repo", "by-hand", "--key-file", "-", stdin=key.encode())
        assert folder.endswith("/my-org/by-hand")
    for text in ("one", "two"):
        mesabox("run", "hand-made", "--repo", "by-hand", "--", "sh", "-c", f"echo {text} > file")
        assert mesabox("repo", "cat", "by-hand", "file").stdout.decode() == text + "\n"
    assert b"sprite hand-made" in mesabox("down").stdout
    assert mesabox("down").returncode == 0
    assert mesabox.value("sprite", "list") == ""
    assert mesabox("repo", "cat", "by-hand", "file").stdout == b"two\n"


def test_a_mount_mints_its_own_key_and_down_revokes_it(mesabox):
    mesabox("repo", "create", "own-key", "--if-not-exists")
    mesabox("sprite", "up", "own-key")
    mesabox("mount", "own-key", "--repo", "own-key")
    mesabox("run", "own-key", "--repo", "own-key", "--", "sh", "-c", "echo x > file")
    mesabox("unmount", "own-key")
    assert mesabox("run", "own-key", "--repo", "own-key", "--", "true", ok=False).returncode != 0
    removed = mesabox("down", "own-key").stdout
    assert b"sprite own-key" in removed and b"key sandbox-session" in removed


def test_a_read_only_key_gives_a_read_only_mount(mesabox):
    mesabox("repo", "create", "readable", "--if-not-exists")
    mesabox("go", "--repo", "readable", "--", "sh", "-c", "echo x > file")
    mesabox("sprite", "up", "reader")
    mesabox("mount", "reader", "--repo", "readable", "--read-only")
    words = ("run", "reader", "--repo", "readable", "--", "sh", "-c")
    assert mesabox(*words, "cat file").stdout == b"x\n"
    assert mesabox(*words, "echo y > file", ok=False).returncode != 0
    assert mesabox(*words, "sudo sh -c 'echo y > file'", ok=False).returncode != 0
    assert mesabox("repo", "cat", "readable", "file").stdout == b"x\n"
    mesabox("down", "reader")


def test_two_sprites_see_each_others_edits(mesabox):
    mesabox("repo", "create", "shared", "--if-not-exists")
    for name in ("left", "right"):
        mesabox("sprite", "up", name)
        mesabox("mount", name, "--repo", "shared")
    mesabox("run", "left", "--repo", "shared", "--", "sh", "-c", "echo from-left > file")
    assert mesabox("run", "right", "--repo", "shared", "--", "cat", "file").stdout == b"from-left\n"
    mesabox("down", "left", "right")


def test_down_ends_a_run_that_is_still_going(mesabox):
    run = mesabox.value("go", "--detach", "--repo", "down-running", "--", "sh", "-c", "echo x > file; sleep 300")
    while b"run" not in mesabox("runs", "logs", run, "--ndjson").stdout.rpartition(b'"phase"')[2]:
        pass
    told = mesabox.json("down", run)
    assert told["status"] == "ok"
    assert mesabox.json("runs", "show", run)["data"]["failed_by"] == "signal"
    assert f"mesabox-{run}" not in mesabox.value("sprite", "list").splitlines()
    assert mesabox("down", run).returncode == 0
