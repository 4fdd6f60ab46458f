"""What Python or Typer raised, as errors of ours. Words that did not parse are not repeated where a credential may be
among them.
"""

import errno
from typing import Any

from mesabox.errors import Failed, UsageProblem

_WHY = "everybody on this machine can read the words of a command line, and shells keep them"
_FIX = "mesabox auth login SERVICE --with-token < FILE, or set MESA_API_KEY and SPRITES_TOKEN"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_TOKENS = ("--token", "--api-key")


def explained(refusal: Any, command: str) -> UsageProblem | None:
    """The error for a credential on the command line; None for any other refusal."""
    if getattr(refusal, "option_name", None) in _TOKENS:
        return UsageProblem("a credential is not taken from the command line", why=_WHY, fix=_FIX, code="token_refused")
    if command == "auth login":
        why = "they are not repeated here: a credential may be among them"
        return UsageProblem("these words do not fit", why=why, fix="mesabox auth login --help")
    return None


def unusable(failure: OSError) -> Failed | None:
    """A file that cannot be made, read or written; None where it is about no file."""
    if not failure.filename and failure.errno not in _NO_ROOM:
        return None
    return Failed(
        f"cannot use {failure.filename or 'a file'}",
        why=failure.strerror or str(failure),
        fix="make it writable or free space there; MESABOX_HOME=DIR keeps everything elsewhere",
        code="os_error",
    )
