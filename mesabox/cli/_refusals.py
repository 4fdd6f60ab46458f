"""Words that did not parse and must not be repeated: a credential may be among them."""

from typing import Any

from mesabox.errors import UsageProblem

_WHY = "everybody on this machine can read the words of a command line, and shells keep them"
_FIX = "mesabox auth login SERVICE --with-token < FILE, or set MESA_API_KEY and SPRITES_TOKEN"
_TOKENS = ("--token", "--api-key")


def explained(refusal: Any, command: str) -> UsageProblem | None:
    """The error for a credential on the command line; None for any other refusal."""
    if getattr(refusal, "option_name", None) in _TOKENS:
        return UsageProblem("a credential is not taken from the command line", why=_WHY, fix=_FIX, code="token_refused")
    if command == "auth login":
        why = "they are not repeated here: a credential may be among them"
        return UsageProblem("these words do not fit", why=why, fix="mesabox auth login --help")
    return None
