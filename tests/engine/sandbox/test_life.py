"""A sandbox's life, at every tier this machine has."""

from pathlib import Path

import pytest

STORIES = Path(__file__).with_name("life_stories.py")
ISOLATED = ["root", "subids", "single", "noproc"]
ALL = [*ISOLATED, "none"]


@pytest.mark.parametrize("tier", ALL)
@pytest.mark.parametrize(
    "story",
    [
        "commands_and_exit_codes",
        "cannot_start",
        "stdin_reaches_the_command_whole",
        "signals_reach_the_group",
        "a_terminal",
        "files",
        "special_files_do_not_hang",
        "daemons_count_and_die",
        "a_cancelled_spawn_leaves_nothing",
        "a_cancelled_create_leaves_nothing",
        "odd_requests_are_refused_and_nothing_else",
        "frozen_processes_stand_still",
    ],
)
def test_everywhere(play, story, tier):
    play(str(STORIES), story, tier)


@pytest.mark.parametrize("tier", ISOLATED)
@pytest.mark.parametrize(
    "story",
    [
        "identity_and_home",
        "disk_is_kept",
        "layers_lie_under_the_upper",
        "death_is_noticed",
        "one_that_ends_while_it_is_born_ends_whole",
        "the_zygote_takes_all_along",
        "processes_are_bounded",
        "memory_is_bounded",
        "preparing_fuse_needs_no_sudo",
        "sudo_runs_as_root",
    ],
)
def test_isolated(play, story, tier):
    play(str(STORIES), story, tier)
