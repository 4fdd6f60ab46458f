"""API keys and public keys: made, listed, revoked, and resolved from what a request shows. Only hashes are kept."""

import json
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mesabox.engine.mesa.database import Database
from mesabox.engine.mesa.grants import Grant, restricted
from mesabox.engine.mesa.problems import not_found, unauthenticated
from mesabox.wire.mesa import Scope, common_scopes, scopes_within
from mesabox.wire.mesa_claims import (
    Claims,
    Token,
    TokenError,
    api_key_id_of,
    claims_of,
    parse_token,
    public_x_of,
    verify,
)
from mesabox.wire.mesa_tokens import api_key_hash

_USED_EVERY = 60.0
"""Seconds between two notes of ``last_used_at``: a note for each request would make every read a write."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key on record. Times are Unix seconds; repo_ids None is the whole organization; seq orders by age."""

    seq: int
    id: str
    org: str
    name: str | None
    scopes: tuple[str, ...]
    repo_ids: tuple[str, ...] | None
    tags: Mapping[str, str]
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None

    def status(self, now: float) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def grant(self) -> Grant:
        scopes = scopes_within(self.scopes)
        repos = None if self.repo_ids is None else dict.fromkeys(self.repo_ids, scopes[-1])
        return Grant(self.org, "api key", self.id, scopes, self.name, repos, expires_at=self.expires_at)


class Keys:
    """The credentials of every organization."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        org: str,
        *,
        secret: str | None = None,
        name: str | None = None,
        scopes: Sequence[Scope] = ("read", "write"),
        repo_ids: Sequence[str] | None = None,
        ttl: float | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> tuple[ApiKey, str]:
        """The key and its plaintext, which is nowhere else; a given ``secret`` is put on record as it is."""
        secret = secret or f"mesa_{secrets.token_urlsafe(32)}"
        now = self._clock()
        key_id, expires_at = f"key_{uuid.uuid4().hex}", None if ttl is None else now + ttl
        ids = None if repo_ids is None else json.dumps(list(dict.fromkeys(repo_ids)))
        self._database.execute(
            "INSERT INTO api_key (id, org, hash, name, scopes, repo_ids, tags, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(key_id, org, api_key_hash(secret), name, json.dumps(list(scopes)), ids),
            *(json.dumps(dict(tags or {})), now, expires_at),
        )
        return self.get(org, key_id), secret

    def get(self, org: str, key_id: str) -> ApiKey:
        row = self._database.row("SELECT * FROM api_key WHERE org = ? AND id = ?", org, key_id)
        if row is None:
            raise not_found(f"API key '{key_id}'")
        return _api_key(row)

    def all(self, org: str) -> list[ApiKey]:
        """Oldest first."""
        return [_api_key(row) for row in self._database.rows("SELECT * FROM api_key WHERE org = ? ORDER BY seq", org)]

    def knows(self, secret: str) -> bool:
        return self._database.row("SELECT 1 FROM api_key WHERE hash = ?", api_key_hash(secret)) is not None

    def set_tags(self, org: str, key_id: str, tags: Mapping[str, str]) -> None:
        text = json.dumps(dict(tags))
        self._database.execute("UPDATE api_key SET tags = ? WHERE org = ? AND id = ?", text, org, key_id)

    def revoke(self, org: str, key_id: str) -> None:
        """From now on; a key revoked before keeps its time. Problem 404 when there is none."""
        self.get(org, key_id)
        sql = "UPDATE api_key SET revoked_at = ? WHERE org = ? AND id = ? AND revoked_at IS NULL"
        self._database.execute(sql, self._clock(), org, key_id)

    def register_public_key(self, org: str, x: str) -> None:
        sql = "INSERT OR IGNORE INTO public_key (id, org, x, created_at) VALUES (?, ?, ?, ?)"
        self._database.execute(sql, f"pub_{uuid.uuid4().hex}", org, x, self._clock())

    def authenticate(self, credential: str) -> Grant:
        """Problem 401 for whatever is not a live credential: an API key, or a token of either algorithm."""
        try:
            token = parse_token(credential)
            if token is None:
                return self._by_api_key("hash = ?", api_key_hash(credential)).grant()
            return self._by_hs256(token) if token.algorithm == "HS256" else self._by_eddsa(token)
        except (TokenError, UnicodeEncodeError) as error:
            raise unauthenticated(f"The credential was refused: {error}") from None

    def _by_api_key(self, condition: str, value: str) -> ApiKey:
        row = self._database.row(f"SELECT * FROM api_key WHERE {condition}", value)
        key = None if row is None else _api_key(row)
        if key is None or (status := key.status(self._clock())) == "revoked":
            raise unauthenticated("The API key is unknown or was revoked")
        if status == "expired":
            raise unauthenticated("The API key has expired")
        self._note_use(key)
        return key

    def _note_use(self, key: ApiKey) -> None:
        now = self._clock()
        if key.last_used_at is None or abs(now - key.last_used_at) > _USED_EVERY:
            with suppress(sqlite3.OperationalError):  # on a full disk a key still opens
                self._database.execute("UPDATE api_key SET last_used_at = ? WHERE id = ?", now, key.id)

    def _by_hs256(self, token: Token) -> Grant:
        key_id = api_key_id_of(token)
        key = self._by_api_key("id = ?", key_id)
        verify(token, self._hash_of(key_id))
        claims, whole = claims_of(token, now=self._clock()), key.grant()
        scopes = common_scopes(whole.scopes, claims.scopes)
        repos = restricted(whole.repos, self._claimed_repos(key.org, claims))
        expires_at = min(claims.expires_at, key.expires_at or claims.expires_at)
        return Grant(key.org, "signed by api key", key.id, scopes, key.name, repos, claims.authors, expires_at)

    def _hash_of(self, key_id: str) -> str:
        row = self._database.row("SELECT hash FROM api_key WHERE id = ?", key_id)
        return str(row["hash"]) if row else ""

    def _by_eddsa(self, token: Token) -> Grant:
        x = public_x_of(token)
        row = self._database.row("SELECT * FROM public_key WHERE x = ?", x)
        if row is None or token.payload.get("iss") != row["org"]:
            raise TokenError("its public key is not registered for the organization it names")
        verify(token, x)
        claims = claims_of(token, now=self._clock())
        repos = self._claimed_repos(row["org"], claims)
        scopes, expires_at = claims.scopes, claims.expires_at
        return Grant(row["org"], "private key", row["id"], scopes, None, repos, claims.authors, expires_at)

    def _claimed_repos(self, org: str, claims: Claims) -> Mapping[str, Scope] | None:
        """The token's repos by id: names are looked up, other organizations' and unknown ones drop out."""
        by_id = None if claims.repo_ids is None else dict.fromkeys(claims.repo_ids, claims.scopes[-1])
        if claims.repos is None:
            return by_id
        rows = self._database.rows("SELECT id, lower(name) AS name FROM repo WHERE org = ?", org)
        named = ((row["id"], claims.repos.get(f"{org}/{row['name']}")) for row in rows)
        return restricted(by_id, {repo_id: scope for repo_id, scope in named if scope})


def matching(
    keys: Iterable[ApiKey], now: float, *, query: str, status: str, scope: str | None, repo_id: str | None
) -> list[ApiKey]:
    """The filters of the list endpoint: part of the name, status or ``all``, a scope held, a repo it is limited to."""
    return [
        key
        for key in keys
        if query.lower() in (key.name or "").lower()
        and status in ("all", key.status(now))
        and (scope is None or scope in key.scopes)
        and (repo_id is None or repo_id in (key.repo_ids or ()))
    ]


def _api_key(row: sqlite3.Row) -> ApiKey:
    fields: dict[str, Any] = dict(row)
    del fields["hash"]
    fields["scopes"] = tuple(json.loads(row["scopes"]))
    fields["repo_ids"] = None if row["repo_ids"] is None else tuple(json.loads(row["repo_ids"]))
    fields["tags"] = json.loads(row["tags"])
    return ApiKey(**fields)
