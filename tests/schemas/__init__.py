"""The schemas that every machine output is held against."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

_FOLDER = Path(__file__).parent


def _validator(name):
    return Draft202012Validator(json.loads((_FOLDER / f"{name}.json").read_text()))


_ENVELOPE, _EVENT = _validator("envelope"), _validator("event")


def envelope(text):
    """The one object of ``--json``."""
    found = json.loads(text)
    _ENVELOPE.validate(found)
    return found


def events(text):
    """The lines of ``--ndjson``: numbered without a gap, of one run, from ``start`` to ``end``."""
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        _EVENT.validate(event)
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert len({event["run_id"] for event in found}) == 1
    assert (found[0]["type"], found[-1]["type"]) == ("start", "end")
    assert sorted(event["ts"] for event in found) == [event["ts"] for event in found]
    return found
