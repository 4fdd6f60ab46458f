"""Whom a commit is by: the token's authors, else the body's author, else the credential's own name."""

from mesabox.engine.mesa.bodies import Identity
from mesabox.engine.mesa.calls import Call
from mesabox.engine.mesa.history import By
from mesabox.engine.mesa.objects import Signature


def attributed(
    call: Call, *, message: str | None, author: Identity | None = None, committer: Identity | None = None
) -> By:
    """Without any author named, a new change is its committer's and an evolved one keeps its own."""
    now = int(call.mesa.clock())
    authors = call.grant.authors or ((author.author(),) if author else ())
    if committer is not None:
        signature = Signature(committer.author(), _date(committer, now))
    else:
        signature = Signature(authors[0] if authors else call.grant.identity(), now)
    return By(signature, authors, author.seconds() if author else None, message)


def _date(identity: Identity, otherwise: int) -> int:
    seconds = identity.seconds()
    return otherwise if seconds is None else seconds
