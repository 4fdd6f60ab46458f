"""What GitHub's runner makes of a step's log: the commands it takes, and the lines it shows.

Rules of actions/runner (ActionCommandManager): ``::name k=v::data`` at a line's start, ``##[name]data``
anywhere; between stop-commands and its token nothing but the token is a command.
"""

import re

_NAMES = ("add-mask", "group", "endgroup", "error", "warning", "notice", "debug", "stop-commands", "save-state", "echo")
_NEW = re.compile(r"\s*::([\w-]+)(?: ([^:]*))?::(.*)")
_OLD = re.compile(r"##\[([\w-]+)(?: ([^\]]*))?\](.*)")


class Runner:
    """Feed it a stream's text. commands: (name, properties, data) as the runner decodes them."""

    def __init__(self):
        self.commands, self.shown, self.masks = [], [], []
        self._token = None

    def read(self, text):
        for line in re.split(r"\r\n|\r|\n", text):
            self._line(line)
        return self

    def named(self, name):
        return [(properties, data) for one, properties, data in self.commands if one == name]

    @property
    def stopped(self):
        return self._token is not None

    def _line(self, line):
        found = _NEW.match(line) or _OLD.search(line)
        if self._token is not None:
            if found and found[1] == self._token:
                self._token = None
            else:
                self.shown.append(line)
        elif not found or found[1] not in _NAMES:
            self.shown.append(line)
        elif found[1] == "stop-commands":
            self._token = found[3]
        else:
            self._take(found)

    def _take(self, found):
        pairs = dict(pair.split("=", 1) for pair in (found[2] or "").split(",") if "=" in pair)
        properties = {key: _decoded(value) for key, value in pairs.items()}
        self.commands.append((found[1], properties, _decoded(found[3])))
        if found[1] == "add-mask":
            self.masks.append(_decoded(found[3]))


def _decoded(text):
    for escaped, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, character)
    return text


def outputs(text):
    """The outputs of a step, as the runner reads its file."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, _, fence = line.partition("<<")
        value = []
        while (line := next(lines)) != fence:
            value.append(line)
        found[name] = "\n".join(value)
    return found
