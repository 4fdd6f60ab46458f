"""Mounts in a living sandbox, at every tier that isolates."""

from pathlib import Path

import pytest

STORIES = str(Path(__file__).with_name("mount_stories.py"))


@pytest.mark.parametrize("tier", ["root", "subids", "single", "noproc"])
@pytest.mark.parametrize(
    "story", ["both_see_each_others_edits", "read_only_stays_so", "renaming_the_folders_above_keeps_nothing"]
)
def test_mounts(play, story, tier):
    play(STORIES, story, tier)


@pytest.mark.parametrize("tier", ["root", "subids", "single"])
@pytest.mark.parametrize("story", ["a_stale_mount_is_replaced", "writers_end_when_it_becomes_read_only"])
def test_mounts_seen_through_proc(play, story, tier):
    play(STORIES, story, tier)
