"""What is left of runs in an engine, and on the machine: sprites, live keys, mounts, processes."""

import time
from collections import Counter
from pathlib import Path

_SETTLE = 30.0


def remains(mesabox):
    """As lists of names, all of them empty when nothing is left."""
    live = [key["name"] for key in mesabox.json("key", "list")["data"] if key["state"] == "live"]
    return {
        "sprites": [sprite["name"] for sprite in mesabox.json("sprite", "list")["data"]],
        "keys": live,
        "mounts": mesabox.json("engine", "status")["data"]["mounts"],
    }


def processes(mesabox):
    """How often each command line is there below the engine, its own helpers and its spare sandbox among them."""
    parents, found = _parents(), Counter()
    below = {mesabox.json("engine", "status")["data"]["pid"]}
    for process in sorted(parents, key=lambda one: _depth(one, parents)):
        if parents[process] in below:
            below.add(process)
            found[_words(process)] += 1
    return found


def settled(mesabox):
    """Those of an engine at rest: the same twice."""
    before, now = None, processes(mesabox)
    while before != now:
        time.sleep(0.5)
        before, now = now, processes(mesabox)
    return now


def until_as(mesabox, rest):
    """Those that are there, at once when they are those of ``rest``: a spare sandbox is made beside, and ended so."""
    deadline = time.monotonic() + _SETTLE
    while (now := processes(mesabox)) != rest and time.monotonic() < deadline:
        time.sleep(0.2)
    return now


def holding(mark):
    """Every process of the machine that has ``mark`` in its command line: wherever it was adopted."""
    return [
        _words(int(entry.name))
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and mark in _words(int(entry.name))
    ]


def _parents():
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
    return found


def _depth(process, parents):
    depth = 0
    while process in parents:
        process, depth = parents[process], depth + 1
    return depth


def _words(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""
