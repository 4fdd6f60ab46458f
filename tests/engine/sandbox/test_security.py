"""What a sprite must not get, at every tier that isolates."""

from pathlib import Path

import pytest

STORIES = str(Path(__file__).with_name("security_stories.py"))


@pytest.mark.parametrize("tier", ["root", "subids", "single", "noproc"])
@pytest.mark.parametrize(
    "story",
    [
        "the_host_cannot_be_seen",
        "nothing_of_the_engine_is_visible",
        "root_inside_is_bounded",
        "devices_are_the_harmless_ones",
        "loopback_is_its_own",
        "sprites_do_not_meet",
        "a_killed_engine_leaves_nothing",
    ],
)
def test_security(play, story, tier):
    play(STORIES, story, tier)
