"""Files of environment variables, in docker's format: ``KEY=VALUE`` a line, taken as it is; ``#`` begins a comment."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mesabox.errors import UsageProblem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIX = "a line is KEY=VALUE, or KEY alone to pass it on"


def variables_of(files: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Later files win. ``KEY`` alone has its value in ``environ``, and is left out where it has none there.

    UsageProblem names the file and the line, and no value.
    """
    return {name: value for file in files for name, value in _variables(file, environ)}


def _variables(file: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(_lines(file), start=1):
        text = line.lstrip(" \t")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not _NAME.fullmatch(name):
            shown = f": {name!r}" if equals else ""
            raise _problem(file, number, f"that is not the name of an environment variable{shown}")
        if "\0" in value:
            raise _problem(file, number, f"the value of {name} holds a NUL byte")
        if equals or name in environ:
            yield name, value if equals else environ[name]


def _lines(file: str) -> list[str]:
    try:
        content = Path(file).read_bytes()
    except OSError as failure:
        why = failure.strerror or type(failure).__name__
        raise UsageProblem(f"--env-file {file} cannot be read", why=why, fix="--env-file FILE") from None
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return [line.removesuffix("\r") for line in text.split("\n")]


def _problem(file: str, number: int, why: str) -> UsageProblem:
    return UsageProblem(f"--env-file {file}, line {number}", why=why, fix=_FIX)
