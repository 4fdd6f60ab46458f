"""Precedence, origins, and what a wrong value is told."""

import pytest

from mesabox.config.environment import VARIABLES
from mesabox.config.paths import paths_for
from mesabox.config.settings import load
from mesabox.config.starter import starter
from mesabox.errors import UsageProblem


@pytest.fixture
def settings(tmp_path):
    """Writes both files and loads from a folder below the project's."""
    project, home, inner = tmp_path / "project", tmp_path / "home", tmp_path / "project/src/deep"
    inner.mkdir(parents=True)
    home.mkdir()

    def make(*, project_file="", user_file="", environ=None, flags=None):
        (project / "mesabox.toml").write_text(project_file)
        (home / "config.toml").write_text(user_file)
        environ = {"MESABOX_HOME": str(home), **(environ or {})}
        return load(paths_for(environ, inner), environ, flags or {})

    return make


LAYERS = [
    ("flag", {"flags": {"engine": "local"}}, "--engine"),
    ("environment", {"environ": {"MESABOX_ENGINE": "local"}}, "MESABOX_ENGINE"),
    ("project", {"project_file": 'engine = "local"'}, "mesabox.toml"),
    ("user", {"user_file": 'engine = "local"'}, "config.toml"),
]


@pytest.mark.parametrize(("kind", "given", "called"), LAYERS)
def test_a_value_remembers_where_it_came_from(settings, kind, given, called):
    found = settings(**given)
    assert found.engine == "local"
    origin, where = found.origin("engine")
    assert origin == kind and called in where


@pytest.mark.parametrize("position", range(len(LAYERS) - 1))
def test_each_layer_goes_before_the_next(settings, position):
    values = {"flags": {"engine": "local"}, "environ": {"MESABOX_ENGINE": "local"}, "project_file": 'engine = "local"'}
    name = list(values)[position]
    lower = {"flags": {"environ": {"MESABOX_ENGINE": "cloud"}}, "environ": {"project_file": 'engine = "cloud"'}}
    given = {name: values[name], **lower.get(name, {"user_file": 'engine = "cloud"'})}
    assert settings(**given).engine == "local"


def test_defaults_have_no_origin(settings):
    assert settings().origin("go.repo") == ("default", "")


def test_a_table_is_filled_from_several_files(settings):
    found = settings(project_file='[go]\nrepo = "mine"', user_file='[go]\nrepo = "other"\nkeep = "always"')
    assert (found.go.repo, found.go.keep, found.go.timeout) == ("mine", "always", "1h")
    assert found.origin("go.keep")[0] == "user"


def test_an_empty_variable_counts_as_unset(settings):
    assert settings(environ={"MESABOX_ENGINE": ""}).origin("engine") == ("default", "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"project_file": 'engine = "clod"'}, ["engine in", "mesabox.toml", "'clod'", "'auto', 'local' or 'cloud'"]),
        ({"user_file": "[go]\ntimeout = 'soon'"}, ["go.timeout in", "config.toml", "'soon'", "not a duration"]),
        ({"environ": {"MESABOX_ENGINE": "x"}}, ["MESABOX_ENGINE", "'x'"]),
        ({"project_file": "[go]\nrepoo = 'x'"}, ["no setting go.repoo", "did you mean go.repo?"]),
        ({"project_file": "go = 3"}, ["go in", "3"]),
        ({"project_file": "engine ="}, ["mesabox.toml is not TOML", "Invalid value"]),
        ({"environ": {"SPRITES_API_URL": "http://evil.example"}}, ["SPRITES_API_URL", "https"]),
    ],
)
def test_a_wrong_value_names_place_key_value_and_fix(settings, given, words):
    with pytest.raises(UsageProblem) as caught:
        settings(**given)
    told = f"{caught.value.what} | {caught.value.why} | {caught.value.fix}"
    assert all(word in told for word in words), told
    assert caught.value.fix


@pytest.mark.parametrize("line", ['isolation = "none"', 'mesa_api_url = "https://x"', 'sprites_api_url = "https://x"'])
def test_a_clone_cannot_redirect_credentials_nor_take_the_walls_away(settings, line):
    with pytest.raises(UsageProblem) as caught:
        settings(project_file=line)
    assert "may come from someone else" in caught.value.why
    settings(user_file=line)


def test_http_is_for_this_machine_only(settings):
    assert (
        settings(environ={"MESA_API_URL": "http://127.0.0.1:1/mesa/v1/"}).mesa_api_url == "http://127.0.0.1:1/mesa/v1"
    )


def test_what_init_writes_can_be_used_line_by_line(settings):
    text = starter()
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    lines = [line for line in uncommented.splitlines() if "…" not in line]
    found = settings(user_file="\n".join(lines))
    assert found.origin("go.timeout")[0] == "user" and found.origin("engine")[0] == "user"
    assert settings(user_file=text).origin("engine")[0] == "default"


def test_every_setting_of_the_list_of_variables_exists(settings):
    known = dict(settings().items())
    assert {variable.setting for variable in VARIABLES if variable.setting} <= set(known)
