"""Words checked before a service is asked: what is wrong with them is a usage error."""

import re
from collections.abc import Callable

from mesabox.errors import UsageProblem
from mesabox.flow.plan import limit_of
from mesabox.wire import mesa

_SPRITE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def repo_name(name: str) -> str:
    return _checked(mesa.check_repo_name, name, "repo name")


def sprite_name(name: str) -> str:
    """wire/sprites §1.6."""
    if not _SPRITE_NAME.fullmatch(name):
        rule = "1 to 63 lower-case letters, digits and inner hyphens"
        raise UsageProblem(f"{name!r} is not a sprite name", why=rule, fix="choose a name such as builder-1")
    return name


def _checked(check: Callable[[str], str], text: str, noun: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise UsageProblem(f"{text!r} is not a {noun}", why=str(error)) from None


def key_lifetime(text: str) -> float | None:
    """Seconds of ``30m`` or ``1h``; None for ``none``: a key that does not end."""
    try:
        seconds = limit_of(text)
    except UsageProblem:
        seconds = 0.0
    if seconds is not None and int(seconds) not in mesa.KEY_TTL_SECONDS:
        raise UsageProblem(f"{text!r} is not a key's lifetime", why="a key lives 100 s to 365 days", fix="--ttl 1h")
    return seconds
