"""Overlays, made the new way and the old."""

from pathlib import Path

import pytest

STORIES = str(Path(__file__).with_name("overlay_stories.py"))


@pytest.mark.parametrize("tier", ["root", "subids", "single"])
@pytest.mark.parametrize("story", ["both_ways_make_the_same", "an_upper_on_an_overlay_is_refused_in_words"])
def test_overlay(play, story, tier):
    play(STORIES, story, tier)
