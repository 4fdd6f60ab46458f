"""Go durations (``10s``, ``1m0s``, ``2.5s``, ``100ms``), as Sprites writes them in queries."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Seconds. A bare number is seconds too (Go takes ``0`` only; SDKs send others). ValueError otherwise."""
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _sum_of_parts(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"not a duration: {text!r}")
    return seconds


def _sum_of_parts(text: str) -> float:
    if not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f"not a duration: {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """``90`` -> ``90s``: the one form every Go parser takes."""
    return f"{plain_seconds(seconds)}s"


def plain_seconds(seconds: float) -> str:
    """``90``, ``0.5``: never with an exponent, which neither Go nor sleep(1) reads."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
