"""A few commands whole: exit code, stdout and stderr, on a terminal and in a pipe."""

TALK = "engine: local (for a test)\n"


def both(mesabox, *words, **options):
    on_terminal, in_pipe = mesabox(*words, terminal=True, **options), mesabox(*words, **options)
    return (on_terminal.code, on_terminal.out, on_terminal.err), (in_pipe.code, in_pipe.out, in_pipe.err)


def test_sprite_list(mesabox):
    assert both(mesabox, "sprite", "list") == (
        (
            0,
            "╭─────────┬────────┬─────────────────────┬─────────╮\n"
            "│ name    │ status │ created             │ labels  │\n"
            "├─────────┼────────┼─────────────────────┼─────────┤\n"
            "│ builder │ warm   │ 2026-05-06 12:00:00 │ mesabox │\n"
            "╰─────────┴────────┴─────────────────────┴─────────╯\n",
            TALK,
        ),
        (0, "builder\twarm\t2026-05-06 12:00:00\tmesabox\n", TALK),
    )


def test_repo_show_of_none(mesabox):
    expected = (3, "", TALK + "error: there is no repo 'gone'\n  why: Mesa answered 404\n  fix: mesabox repo list\n")
    assert both(mesabox, "repo", "show", "gone") == (expected, expected)


def test_repo_create(mesabox):
    answer = mesabox("repo", "create", "new")
    assert answer.out == (
        f"name\tnew\norg\tacme\nid\tr2\nbookmark\tmain\nhead\t{'z' * 32}\ncreated\t2026-05-06 12:00:00\ntags\t-\n"
    )
    assert answer.err == TALK + "created repo new\n"
    assert mesabox("repo", "create", "new", "-q", "--if-not-exists").out == "new\n"


def test_repo_cat_is_byte_for_byte(mesabox):
    assert mesabox("repo", "cat", "notes", "README.md").out == "hello\n"
    assert mesabox("repo", "cat", "notes", "README.md", "-q").out == "hello\n"
    data = mesabox("repo", "cat", "notes", "logo.png", "--json").envelope["data"]
    assert data == {"path": "logo.png", "size": 4, "content": "iVBORw==", "content_encoding": "base64"}


def test_repo_delete_asks(mesabox):
    answer = mesabox("repo", "delete", "notes", terminal=True, stdin=b"n\n")
    assert (answer.code, answer.out) == (1, "") and "Delete repo notes and its whole history? [y/N]" in answer.err
    answer = mesabox("repo", "delete", "notes", terminal=True, stdin=b"yes\n")
    assert (answer.code, answer.out) == (0, "deleted repo notes\n")


def test_nobody_is_asked_where_nobody_is(mesabox):
    for words, terminal in ((["repo", "delete", "notes"], False), (["repo", "delete", "notes", "--no-input"], True)):
        answer = mesabox(*words, terminal=terminal)
        assert answer.code == 2 and "--yes" in answer.err


def test_key_mint_quiet_is_the_secret_alone(mesabox):
    assert mesabox("key", "mint", "--repo", "notes", "-q").out == "mesa_minted\n"
    shown = mesabox("key", "mint", "--repo", "notes", "--ttl", "30m")
    assert "expires\t2026-05-06 12:30:00" in shown.out and "mesa_minted" not in shown.err


def test_key_list_shows_ours_and_all_shows_everyones(mesabox):
    assert mesabox("key", "list", "-q").out == "k1\n"
    assert mesabox("key", "list", "-q", "--all").out == "k1\nk9\n"


def test_sprite_up_makes_or_reuses(mesabox):
    assert mesabox("sprite", "up", "new").err.endswith("made sprite new; it answers\n")
    assert mesabox("sprite", "up", "new").err.endswith("reused sprite new; it answers\n")


def test_what_steps_made_is_on_record(mesabox, home):
    mesabox("key", "mint", "--repo", "notes", "-q")
    mesabox("sprite", "up", "new")
    (events,) = (home / "state/runs").glob("*/events.ndjson")
    record = events.read_text()
    assert '"kind":"key"' in record and '"name":"new"' in record and "mesa_minted" not in record


def test_config_show_says_where_from(mesabox, monkeypatch):
    monkeypatch.setenv("MESABOX_ENGINE", "local")
    assert "engine\tlocal\tMESABOX_ENGINE\n" in mesabox("config", "show", "--origin").out
    assert "engine\tcloud\t--engine\n" in mesabox("--engine", "cloud", "config", "show", "--origin").out


def test_config_init_writes_once(mesabox, home):
    assert mesabox("config", "init").out == f"{home}/config.toml\n"
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600
    assert mesabox("config", "init").code == 5
    assert mesabox("config", "show").code == 0


def test_names_are_kept_for_completion(mesabox, home):
    mesabox("sprite", "list")
    mesabox("repo", "create", "new")
    mesabox("sprite", "destroy", "builder")
    assert (home / "cache/names/sprites").read_text() == ""
    assert (home / "cache/names/repos").read_text() == "new\n"
