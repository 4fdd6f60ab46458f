"""A sprite wakes at the tier that it was made at, and at no other."""

from types import SimpleNamespace

import pytest

from mesabox.engine.sprites.machines import Machines
from mesabox.engine.sprites.problems import Problem


def machines(tier: str) -> Machines:
    host = SimpleNamespace(tier=tier)
    return Machines(None, host, None, None, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("made_at", "now"), [("root", "root"), ("single", "noproc"), ("noproc", "single")])
def test_the_same_ids_are_fine(tmp_path, made_at, now):
    record = SimpleNamespace(name="s")
    machines(made_at)._same_ids(record, tmp_path / "tier")
    machines(now)._same_ids(record, tmp_path / "tier")


@pytest.mark.parametrize(("made_at", "now"), [("root", "none"), ("single", "subids"), ("none", "root")])
def test_other_ids_are_refused_with_both_named(tmp_path, made_at, now):
    record = SimpleNamespace(name="s")
    machines(made_at)._same_ids(record, tmp_path / "tier")
    with pytest.raises(Problem) as refused:
        machines(now)._same_ids(record, tmp_path / "tier")
    assert made_at in refused.value.text and now in refused.value.text
