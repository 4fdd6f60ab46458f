"""The schemas that every machine output is held against: the envelope, each command's data, events, a run's record."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

_FOLDER = Path(__file__).parent


def _schema(name):
    return json.loads((_FOLDER / f"{name}.json").read_text())


_ENVELOPE, _EVENT, _RECORDED = (Draft202012Validator(_schema(name)) for name in ("envelope", "event", "recorded"))
_DATA = _schema("data")
COMMANDS = _DATA["commands"]
"""A command without an entry here has no contract yet."""


def envelope(text):
    """The one object of ``--json``, and within it what its command promises."""
    found = json.loads(text)
    _ENVELOPE.validate(found)
    if found["data"] is not None:
        Draft202012Validator({**COMMANDS[found["command"]], "$defs": _DATA["$defs"]}).validate(found["data"])
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


def recorded(text):
    """The lines of ``runs logs --ndjson``, which are a run's record: numbered in order, from ``start`` on."""
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        _RECORDED.validate(event)
    assert found[0]["type"] == "start" and len({event["run_id"] for event in found}) == 1
    assert [event["seq"] for event in found] == sorted({event["seq"] for event in found})
    return found
