"""git's patch format, written: one file's section from its two contents."""

import base64
import hashlib
import re
import zlib
from dataclasses import dataclass

_LINE = 52
"""Bytes of packed content in a line of a binary literal, whose first letter tells their number (git's base85.c)."""
_LARGEST_TEXT = 4 << 20
_TO_QUOTE = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
_ESCAPES = {7: b"\\a", 8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}
_NOBODY = "0" * 40


@dataclass(frozen=True, slots=True)
class Version:
    """A file before or after. oid: git's of the content, whole. content None: not known, but its oid is."""

    path: str
    mode: int
    oid: str
    content: bytes | None

    @classmethod
    def of(cls, path: str, mode: int, content: bytes) -> "Version":
        return cls(path, mode, blob_oid(content), content)


def blob_oid(content: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def section(old: Version | None, new: Version | None) -> bytes:
    """The patch from one to the other; where a file became a symlink, its removal and its making.

    So too where a symlink was renamed: a renaming does not say that it is one, and `git apply` then refuses files
    below its old name. A binary file, or one whose old content is not known, gets its whole new content; what is
    written then applies to the old content alone, by its oid.
    """
    if old is not None and new is not None and _splits(old, new):
        return section(old, None) + section(None, new)
    one = old or new
    assert one is not None
    before, after = (_quoted(prefix + (side or one).path) for prefix, side in (("a/", old), ("b/", new)))
    lines = [b"diff --git %s %s\n" % (before, after), *_headers(old, new)]
    if old is not None and new is not None and old.oid == new.oid:
        return b"".join(lines)
    same_mode = old is not None and new is not None and old.mode == new.mode
    ending = b" %o" % one.mode if same_mode else b""
    lines.append(b"index %s..%s%s\n" % (_oid(old), _oid(new), ending))
    lines += _text(old, new, before, after) or _binary(old, new)
    return b"".join(lines)


def _splits(old: Version, new: Version) -> bool:
    was_link, is_link = (side.mode == 0o120000 for side in (old, new))
    return was_link != is_link or (is_link and old.path != new.path)


def _headers(old: Version | None, new: Version | None) -> list[bytes]:
    if old is None or new is None:
        one, word = (new, b"new") if old is None else (old, b"deleted")
        assert one is not None
        return [b"%s file mode %o\n" % (word, one.mode)]
    modes = [b"old mode %o\n" % old.mode, b"new mode %o\n" % new.mode] if old.mode != new.mode else []
    if old.path == new.path:
        return modes
    alike = [b"similarity index 100%\n"] if old.oid == new.oid else []
    names = [b"rename from %s\n" % _quoted(old.path), b"rename to %s\n" % _quoted(new.path)]
    return [*modes, *alike, *names]


def _text(old: Version | None, new: Version | None, before: bytes, after: bytes) -> list[bytes] | None:
    """The hunks; None where they would not be text."""
    contents = [b"" if side is None else side.content for side in (old, new)]
    one, other = contents
    if one is None or other is None or len(one) + len(other) > _LARGEST_TEXT:
        return None
    import pygit2  # 50 ms, which most commands do not need

    patch = pygit2.Patch.create_from(one, other)
    if patch.delta.is_binary:
        return None
    start = patch.data.find(b"@@ ")
    if start < 0:
        return [b""]
    names = [b"/dev/null" if side is None else _ended(name) for side, name in ((old, before), (new, after))]
    return [b"--- %s\n+++ %s\n" % (names[0], names[1]), patch.data[start:]]


def _binary(old: Version | None, new: Version | None) -> list[bytes]:
    """The way there, and the way back where the old content is known."""
    ways = [b"" if new is None else new.content]
    if old is None or old.content is not None:
        ways.append(b"" if old is None else old.content)
    return [b"GIT binary patch\n", *(_literal(content) for content in ways if content is not None)]


def _literal(content: bytes) -> bytes:
    packed = zlib.compress(content)
    text = base64.b85encode(packed, pad=True)
    lines = []
    for number, start in enumerate(range(0, len(packed), _LINE)):
        length = min(_LINE, len(packed) - start)
        letter = length + 64 if length <= 26 else length + 70
        lines.append(b"%c%s\n" % (letter, text[number * 65 : (number + 1) * 65]))
    return b"literal %d\n%s\n" % (len(content), b"".join(lines))


def _oid(side: Version | None) -> bytes:
    return (side.oid if side else _NOBODY).encode()


def _quoted(path: str) -> bytes:
    name = path.encode("utf-8", "surrogateescape")
    if not _TO_QUOTE.search(name):
        return name
    return b'"%s"' % _TO_QUOTE.sub(lambda found: _ESCAPES.get(found[0][0]) or b"\\%03o" % found[0][0], name)


def _ended(name: bytes) -> bytes:
    """A tab tells where a name with spaces ends."""
    return name + b"\t" if b" " in name else name
