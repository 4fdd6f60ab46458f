"""Where things live, and whose they are."""

import os
from pathlib import Path

import pytest

from mesabox.config.environment import engine_environment
from mesabox.config.names import Names
from mesabox.config.paths import keep_crash_log, ours, paths_for
from mesabox.errors import Failed


def test_xdg_folders_and_their_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/u")
    usual = paths_for({}, tmp_path)
    assert usual.config == Path("/home/u/.config/mesabox/config.toml")
    assert usual.state == Path("/home/u/.local/state/mesabox")
    told = paths_for({"XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "relative", "XDG_RUNTIME_DIR": "/r"}, tmp_path)
    assert told.state == Path("/s/mesabox") and told.cache == Path("/home/u/.cache/mesabox")
    assert told.runtime.parent == Path("/r/mesabox")


def test_one_folder_for_all(tmp_path):
    found = paths_for({"MESABOX_HOME": "/h"}, tmp_path)
    assert {found.config, found.state, found.cache} == {Path("/h/config.toml"), Path("/h/state"), Path("/h/cache")}


def test_a_runtime_folder_too_long_for_sockets_goes_to_the_temporary_folder(tmp_path):
    found = paths_for({"MESABOX_HOME": "/" + "long/" * 20}, tmp_path)
    assert f"mesabox-{os.geteuid()}" in found.runtime.parts


def test_two_states_never_share_sockets(tmp_path):
    one, other = (paths_for({"XDG_STATE_HOME": state, "XDG_RUNTIME_DIR": "/r"}, tmp_path) for state in ("/a", "/b"))
    assert one.runtime != other.runtime


def test_the_project_is_looked_for_upward(tmp_path):
    (tmp_path / "mesabox.toml").touch()
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    assert paths_for({"MESABOX_HOME": "/h"}, inner).project == tmp_path / "mesabox.toml"


def test_our_folders_are_ours_alone(tmp_path):
    assert ours(tmp_path / "x").stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "x")
    with pytest.raises(Failed):
        ours(tmp_path / "link")


def test_a_crash_log_is_ours_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MESABOX_HOME", str(tmp_path))
    kept = keep_crash_log("what happened")
    assert kept.read_text() == "what happened" and kept.stat().st_mode & 0o777 == 0o600


def test_the_engine_is_given_no_credential():
    environ = {"PATH": "/bin", "MESA_API_KEY": "x", "SPRITES_TOKEN": "y", "AWS_SECRET_ACCESS_KEY": "z", "HOME": "/h"}
    assert engine_environment(environ) == {"PATH": "/bin", "HOME": "/h"}


def test_names_for_completion(tmp_path):
    names = Names(tmp_path / "names")
    names.are("sprites", ["b", "a"])
    names.gain("sprites", "c")
    names.lose("sprites", "a")
    assert (tmp_path / "names/sprites").read_text() == "b\nc\n"
    Names(tmp_path / "names/sprites").gain("repos", "x")  # not a folder: passed over


def test_a_user_without_a_home_is_told_so(monkeypatch, tmp_path):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(Failed, match="no home folder"):
        paths_for({}, tmp_path)
    assert paths_for({"MESABOX_HOME": "/mine"}, tmp_path).config == Path("/mine/config.toml")
