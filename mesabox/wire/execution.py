"""One exec request, as it travels in the query of ``GET /v1/sprites/{name}/exec``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from mesabox.wire.durations import format_duration, parse_duration

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """argv: the whole command, argv[0] included; empty means a shell. rows/cols: the TTY's size.

    stdin: whether input frames are taken. linger: seconds the command may live after the socket goes; 0 is for ever,
    None leaves it to the service (TTY for ever, else 10 s).
    """

    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    dir: str | None = None
    tty: bool = False
    rows: int = 24
    cols: int = 80
    stdin: bool = False
    linger: float | None = None
    path: str | None = None

    def query(self) -> str:
        pairs: Pairs = [("cmd", word) for word in self.argv]
        if self.argv:
            pairs.append(("path", self.path or self.argv[0]))
        pairs += [("env", f"{name}={value}") for name, value in self.env.items()]
        if self.dir is not None:
            pairs.append(("dir", self.dir))
        if self.tty:
            pairs += [("tty", "true"), ("rows", str(self.rows)), ("cols", str(self.cols))]
        pairs.append(("stdin", "true" if self.stdin else "false"))
        if self.linger is not None:
            pairs.append(("max_run_after_disconnect", format_duration(self.linger)))
        return urlencode(pairs)

    @classmethod
    def from_query(cls, pairs: Iterable[tuple[str, str]]) -> "ExecRequest":
        """Decoded query pairs, in order. Unknown names are ignored, as the service does. ValueError names a bad one."""
        items = list(pairs)
        last = dict(items)
        tty = _flag(last, "tty", False)
        return cls(
            argv=tuple(value for name, value in items if name == "cmd"),
            env=dict(_assignment(value) for name, value in items if name == "env"),
            dir=last.get("dir") or None,
            tty=tty,
            rows=_number(last, "rows", 24),
            cols=_number(last, "cols", 80),
            stdin=_flag(last, "stdin", tty),
            linger=_duration(last, "max_run_after_disconnect"),
            path=last.get("path") or None,
        )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or "\0" in text:
        raise ValueError("env must be KEY=VALUE")
    return name, value


def _flag(values: Mapping[str, str], name: str, default: bool) -> bool:
    text = values.get(name, "").lower()
    if text in ("", "true", "1", "false", "0"):
        return default if text == "" else text in ("true", "1")
    raise ValueError(f"{name} must be true or false")


def _number(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name) or str(default)
    if not text.isdecimal() or int(text) > 0xFFFF:
        raise ValueError(f"{name} must be a number up to 65535")
    return int(text) or default


def _duration(values: Mapping[str, str], name: str) -> float | None:
    if not (text := values.get(name)):
        return None
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(f"{name} must be a duration such as 10s") from None
