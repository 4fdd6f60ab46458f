"""One fault as it is asked for: ``NAME[=WHEN][:AMOUNT][@WHERE]``."""

import difflib
import re
from dataclasses import dataclass

from mesabox.wire.durations import parse_duration
from mesabox.wire.fault_switches import SWITCHES, Parameter, Switch

GRAMMAR = """\
NAME[=WHEN][:AMOUNT][@WHERE]

  WHEN    how likely, 0 to 1 (always, if left out); xN: the first N times only; both: 0.5x3
  AMOUNT  a time (300ms, 5s, 1s-12s), bytes (4096, 0-64K) or a number, as the switch takes it; of a range one is drawn
  WHERE   only requests whose method and path have this in them; a $ at its end is the end. A socket's method is WS;
          what comes by no request is MOUNT sprite, EDIT org/repo, WAKE sprite
"""

_FORM = re.compile(
    r"(?P<name>[a-z0-9-]+)"
    r"(?:=(?P<rate>\d*\.?\d+)?(?:x(?P<times>\d{1,9}))?)?"
    r"(?::(?P<amount>[^@]+))?"
    r"(?:@(?P<where>.+))?"
)
_SIZE = re.compile(r"(\d{1,12})([KM]?)")
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20}


@dataclass(frozen=True, slots=True)
class Fault:
    """rate: how likely, 0 to 1. times: how often at most, None is for ever. low, high: what the amount is drawn from:
    seconds, bytes or a number, as the switch says; where: part of ``METHOD path``, empty is everywhere.
    """

    switch: Switch
    rate: float = 1.0
    times: int | None = None
    low: float = 0.0
    high: float = 0.0
    amount: str = ""
    where: str = ""

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """ValueError says what is wrong with it."""
        form = _FORM.fullmatch(text)
        if form is None:
            raise ValueError(f"'{text}' does not read as NAME[=WHEN][:AMOUNT][@WHERE]")
        switch = _switch(form["name"])
        if "=" in text.partition("@")[0] and form["rate"] is None and form["times"] is None:
            raise ValueError(f"'{text}' says no WHEN after its '='")
        rate = float(form["rate"] or 1)
        if rate > 1:
            raise ValueError(f"'{text}' has a rate above 1")
        amount = form["amount"] or ""
        if amount and switch.takes is None:
            raise ValueError(f"'{switch.name}' takes no amount")
        low, high = _range(switch.takes, amount or switch.takes.usual) if switch.takes else (0.0, 0.0)
        times = None if form["times"] is None else int(form["times"])
        return cls(switch, rate, times, low, high, amount, form["where"] or "")

    def __str__(self) -> str:
        """As it would be asked for again."""
        often = "" if self.times is None else f"x{self.times}"
        rate = f"{self.rate:.12g}" if self.times is None or self.rate != 1 else ""
        amount = f":{self.amount}" if self.amount else ""
        return f"{self.switch.name}={rate}{often}{amount}" + (f"@{self.where}" if self.where else "")

    def meets(self, about: str) -> bool:
        """about: ``METHOD path``."""
        return about.endswith(self.where[:-1]) if self.where.endswith("$") else self.where in about


def _switch(name: str) -> Switch:
    if (switch := SWITCHES.get(name)) is not None:
        return switch
    close = difflib.get_close_matches(name, SWITCHES, n=3)
    raise ValueError(f"there is no fault '{name}'" + (f"; there is {', '.join(close)}" if close else ""))


def _range(takes: Parameter, text: str) -> tuple[float, float]:
    first, dash, second = text.partition("-")
    try:
        low = _amount(takes, first)
        high = _amount(takes, second) if dash else low
    except ValueError:
        raise ValueError(f"'{text}' is no {_WORDS[takes.kind]}") from None
    if not takes.least <= low <= high <= takes.most:
        raise ValueError(f"'{text}' is out of bounds")
    return low, high


_WORDS = {"time": "time such as 300ms or 1s-5s", "bytes": "number of bytes such as 4096 or 0-64K", "number": "number"}


def _amount(takes: Parameter, text: str) -> float:
    if takes.kind == "time":
        return parse_duration(text)
    size = _SIZE.fullmatch(text)
    if size is None or (takes.kind == "number" and size[2]):
        raise ValueError(text)
    return float(int(size[1]) * _SIZES[size[2]])
