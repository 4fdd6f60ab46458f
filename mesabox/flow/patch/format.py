"""git's patch format, read: what a patch says of each file. Bytes in; nothing of a file's content is decoded.

The grammar is git's (Documentation/diff-format.txt, apply.c): extended headers, hunks, binary literals. Of binary
deltas, which git alone writes, nothing is read.
"""

import base64
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Status = Literal["added", "deleted", "modified", "renamed", "copied"]

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_INDEX = re.compile(rb"index ([0-9a-f]+)\.\.([0-9a-f]+)(?: ([0-7]+))?")
_ESCAPES = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_NO_END = b"\\ "


class PatchProblem(ValueError):
    """Not a patch, or of a kind that is not read here."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines with their ends. old_start and new_start count from 1.

    context: how many lines are in both; trailing: how many of them end the hunk.
    """

    old_start: int
    new_start: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    context: int
    trailing: int

    def reversed(self) -> "Hunk":
        return Hunk(self.new_start, self.old_start, self.new, self.old, self.context, self.trailing)


@dataclass(slots=True)
class FilePatch:
    """What becomes of one file. Modes are 0o100644, 0o100755, 0o120000, None where the patch does not say.

    oids as they are written: whole, abbreviated, or "" where there are none. literal: the whole new content, of a
    binary file. unreadable: why there is no content ("Binary files differ").
    """

    old_path: str | None = None
    new_path: str | None = None
    status: Status = "modified"
    old_mode: int | None = None
    new_mode: int | None = None
    old_oid: str = ""
    new_oid: str = ""
    hunks: list[Hunk] = field(default_factory=list)
    literal: bytes | None = None
    unreadable: str = ""

    @property
    def path(self) -> str:
        """The name that it is told by."""
        path = self.new_path if self.status != "deleted" else self.old_path
        assert path is not None
        return path


def sections(patch: bytes) -> Iterator[bytes]:
    """One for each file. What comes before the first is not told."""
    starts = [found.start() for found in re.finditer(rb"^diff --git ", patch, re.MULTILINE)]
    for start, end in pairwise([*starts, len(patch)]):
        yield patch[start:end]


def parse_patch(patch: bytes) -> list[FilePatch]:
    """PatchProblem names the file that cannot be read."""
    if patch.strip() and not patch.startswith(b"diff --git "):
        raise PatchProblem("it does not begin with 'diff --git'")
    return [parse_section(section) for section in sections(patch)]


def parse_section(section: bytes) -> FilePatch:
    lines = section.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    first = lines[0].removeprefix(b"diff --git ")
    try:
        return _Reader(first, lines).read()
    except (ValueError, IndexError) as error:
        raise PatchProblem(f"{as_path(first)}: {error or 'it ends early'}") from None


class _Reader:
    def __init__(self, first: bytes, lines: list[bytes]) -> None:
        self._first = first
        self._lines = lines
        self._at = 1
        self._file = FilePatch()

    def read(self) -> FilePatch:
        while self._at < len(self._lines) and self._header(self._lines[self._at]):
            self._at += 1
        while self._at < len(self._lines):
            self._content(self._lines[self._at])
        self._name()
        return self._file

    def _header(self, line: bytes) -> bool:
        """Takes in one line of the header; False at the first that is none."""
        file = self._file
        word, _, rest = line.partition(b" ")
        if found := _INDEX.fullmatch(line):
            file.old_oid, file.new_oid = found[1].decode(), found[2].decode()
            if found[3]:
                file.old_mode = file.new_mode = _mode(found[3])
        elif line.startswith((b"old mode ", b"deleted file mode ")):
            file.old_mode = _mode(line.rpartition(b" ")[2])
            file.status = "deleted" if word == b"deleted" else file.status
        elif line.startswith((b"new mode ", b"new file mode ")):
            file.new_mode = _mode(line.rpartition(b" ")[2])
            file.status = "added" if b"file" in line else file.status
        elif line.startswith((b"rename from ", b"copy from ")):
            file.old_path = _unquoted(rest.removeprefix(b"from "))
        elif line.startswith((b"rename to ", b"copy to ")):
            file.status = "renamed" if word == b"rename" else "copied"
            file.new_path = _unquoted(rest.removeprefix(b"to "))
        elif line.startswith(b"--- "):
            file.old_path = file.old_path or _side(rest, b"a/")
        elif line.startswith(b"+++ "):
            file.new_path = file.new_path or _side(rest, b"b/")
        else:
            return line.startswith((b"similarity index ", b"dissimilarity index "))
        return True

    def _content(self, line: bytes) -> None:
        self._at += 1
        if found := _HUNK.match(line):
            self._hunk(found)
        elif line == b"GIT binary patch":
            self._file.literal = self._literal()
            self._at = len(self._lines)  # what follows is the way back
        elif line.startswith(b"Binary files "):
            self._file.unreadable = "the service told only that binary files differ"
        elif line:
            raise PatchProblem(f"the line {line[:60]!r} is not understood")

    def _hunk(self, found: re.Match[bytes]) -> None:
        wanted_old, wanted_new = (int(found[number] or 1) if found[number] != b"0" else 0 for number in (2, 4))
        old: list[bytes] = []
        new: list[bytes] = []
        context = trailing = 0
        while len(old) < wanted_old or len(new) < wanted_new or self._ahead().startswith(_NO_END):
            line = self._lines[self._at]
            self._at += 1
            sides = {b" ": (old, new), b"": (old, new), b"-": (old,), b"+": (new,)}.get(line[:1])
            if line.startswith(_NO_END):
                _unend(self._lines[self._at - 2][:1], old, new)
            elif sides is None:
                raise PatchProblem(f"the line {line[:60]!r} is not part of a hunk")
            else:
                context += len(sides) == 2
                trailing = trailing + 1 if len(sides) == 2 else 0
                for side in sides:
                    side.append(line[1:] + b"\n")
        if (len(old), len(new)) != (wanted_old, wanted_new):
            raise PatchProblem("a hunk has other lines than it says")
        self._file.hunks.append(Hunk(int(found[1]), int(found[3]), tuple(old), tuple(new), context, trailing))

    def _ahead(self) -> bytes:
        return self._lines[self._at] if self._at < len(self._lines) else b""

    def _literal(self) -> bytes:
        kind, _, size = self._lines[self._at].partition(b" ")
        if kind != b"literal":
            raise PatchProblem(f"binary content as a {as_path(kind)!r} is not read here")
        self._at += 1
        packed = []
        while line := self._ahead():
            length = line[0] - 64 if line[:1].isupper() else line[0] - 70
            packed.append(base64.b85decode(line[1:])[:length])
            self._at += 1
        try:
            content = zlib.decompress(b"".join(packed))
        except zlib.error as error:
            raise PatchProblem(str(error)) from None
        if len(content) != int(size):
            raise PatchProblem("binary content has another size than it says")
        return content

    def _name(self) -> None:
        """From the first line, where no other named it."""
        file = self._file
        if file.old_path is None and file.new_path is None:
            file.old_path = file.new_path = _same_name(self._first)
        if file.status == "added":
            file.new_path, file.old_path = file.new_path or file.old_path, None
        elif file.status == "deleted":
            file.old_path, file.new_path = file.old_path or file.new_path, None
        elif file.old_path is None or file.new_path is None:
            raise PatchProblem("it is not said which file it was before, or is after")


def as_path(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _unend(kind: bytes, old: list[bytes], new: list[bytes]) -> None:
    """The line before ended its file without a line feed."""
    for side, kinds in ((old, b" -"), (new, b" +")):
        if kind in (kinds[:1], kinds[1:]) and side:
            side[-1] = side[-1].removesuffix(b"\n")


def _mode(digits: bytes) -> int:
    return int(digits, 8)


def _side(name: bytes, prefix: bytes) -> str | None:
    """Of ``---`` and ``+++``: None for /dev/null. A tab ends a name that has spaces."""
    if name == b"/dev/null":
        return None
    path = _unquoted(name.partition(b"\t")[0])
    return path.removeprefix(prefix.decode())


def _unquoted(name: bytes) -> str:
    found = _QUOTED.fullmatch(name)
    return as_path(_ESCAPE.sub(_escaped, found[1]) if found else name)


def _escaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8) if len(found[1]) == 3 else _ESCAPES[found[1]]])


def _same_name(names: bytes) -> str:
    """``a/NAME b/NAME``, quoted or with spaces."""
    if names.startswith(b'"') and (found := _QUOTED.match(names)):
        return _unquoted(found[0]).removeprefix("a/")
    half = names[: len(names) // 2]
    if names != half + b" b/" + half[2:]:
        raise PatchProblem("its name cannot be told")
    return as_path(half.removeprefix(b"a/"))
