"""Keys without a key service: access tokens signed here, under the organization's private key."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mesabox.clients.base import Key, Repo, Secret
from mesabox.errors import UsageProblem
from mesabox.wire.mesa import Scope, permits, scopes_within
from mesabox.wire.mesa_tokens import MAX_REPOS, MAX_TTL, PrivateKey, sign_access_token, sign_admin_token

LONGEST = MAX_TTL["EdDSA"]
"""Seconds: what a service takes of a signed token's life."""


def signed_key(key: PrivateKey, *, name: str, scopes: Sequence[str], ttl: float | None, repos: Sequence[Repo]) -> Key:
    """An access token for these repos, for at most four hours; it cannot be revoked, it runs out.

    Raises UsageProblem when a token cannot say it: rights over an organization go with no list of repos.
    """
    now = time.time()
    seconds = int(min(ttl or LONGEST, LONGEST))
    if permits(scopes, "admin"):
        token = sign_admin_token(key, now=now, ttl=seconds)
    else:
        scope: Scope = "write" if permits(scopes, "write") else "read"
        token = sign_access_token(key, {repo.name: scope for repo in _sayable(repos)}, now=now, ttl=seconds)
    created = datetime.fromtimestamp(int(now), UTC)
    return Key(
        id="",
        name=name,
        scopes=scopes_within(scopes),
        repo_ids=None if permits(scopes, "admin") else tuple(repo.id for repo in repos),
        created_at=created,
        expires_at=created + timedelta(seconds=seconds),
        secret=Secret(token),
        revocable=False,
    )


def _sayable(repos: Sequence[Repo]) -> Sequence[Repo]:
    if 1 <= len(repos) <= MAX_REPOS:
        return repos
    raise UsageProblem(
        f"a signed token names 1 to {MAX_REPOS} repos, not {len(repos)}", fix="name the repos it is for: --repo NAME"
    )
