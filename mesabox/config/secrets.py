"""The values of ``--secret``: from the environment, a file or stdin, never from the command line."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from mesabox.errors import UsageProblem

_LONGEST = 128 * 1024
"""Bytes of ``NAME=value`` and its end: MAX_ARG_STRLEN of Linux."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def given_secrets(given: Sequence[str], stdin: BinaryIO | None, environ: Mapping[str, str]) -> dict[str, str]:
    """``NAME`` (its local value), ``NAME=@FILE``, ``NAME=-``; a last line end of a file or stdin is dropped.

    stdin: None where it is a terminal, on which a secret would be seen. No error shows a value.
    """
    if sum(text.endswith("=-") for text in given) > 1:
        raise UsageProblem("stdin can be one secret only", fix="--secret NAME=@FILE")
    return dict(_secret(text, stdin, environ) for text in given)


def _secret(text: str, stdin: BinaryIO | None, environ: Mapping[str, str]) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not _NAME.fullmatch(name):
        shown = "" if equals else f" '{name}'"
        raise UsageProblem(f"--secret{shown}: that is not the name of a variable", fix="--secret NAME")
    if equals and source != "-" and not source.startswith("@"):
        why = "everybody on this machine can read the words of a command line"
        fix = f"--secret {name} (from the environment), --secret {name}=@FILE, or --secret {name}=- (from stdin)"
        raise UsageProblem(f"--secret {name}: a value is not taken from the command line", why=why, fix=fix)
    return name, _checked(name, _read(name, source, stdin, environ))


def _read(name: str, source: str, stdin: BinaryIO | None, environ: Mapping[str, str]) -> str:
    if not source:
        if name not in environ:
            raise UsageProblem(f"--secret {name}: it is not set here", fix=f"--secret {name}=@FILE")
        return environ[name]
    if source == "-":
        if stdin is None:
            raise UsageProblem(f"--secret {name}=-: stdin is a terminal", fix=f"pipe it in, or --secret {name}=@FILE")
        data = stdin.read()
    else:
        data = _content(name, source[1:])
    return data.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")


def _content(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as failure:
        why = failure.strerror or type(failure).__name__
        raise UsageProblem(f"--secret {name}: {path} cannot be read", why=why, fix=f"--secret {name}=@FILE") from None


def _checked(name: str, value: str) -> str:
    if "\0" in value:
        why = "a variable of the environment ends at the first one"
        raise UsageProblem(f"--secret {name}: the value holds a NUL byte", why=why, fix="encode it, as with base64")
    if len(name) + 2 + len(value.encode("utf-8", "surrogateescape")) > _LONGEST:
        why = "a variable of the environment holds less than 128 KiB"
        raise UsageProblem(f"--secret {name}: the value is too long", why=why, fix="send it on stdin instead")
    if not value:
        raise UsageProblem(f"--secret {name}: the value is empty", fix="give it a value, or leave it out")
    return value
