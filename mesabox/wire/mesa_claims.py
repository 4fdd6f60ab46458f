"""Reading Mesa's access tokens: taking one apart, verifying it, and what it claims, in every published generation."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesabox.wire.mesa import Scope, scopes_within
from mesabox.wire.mesa_tokens import (
    ACCESS,
    AUDIENCE,
    MAX_AUTHORS,
    MAX_REPOS,
    MAX_TTL,
    TOKEN_TYPE,
    Algorithm,
    Author,
    b64url_decode,
    hmac_sha256,
)

CLOCK_LEEWAY = 60
"""Seconds a token may have been issued in our future."""


class TokenError(ValueError):
    """The token is malformed, forged, expired or too long-lived; the text never quotes it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart, not verified yet."""

    algorithm: Algorithm
    header: Mapping[str, Any]
    payload: Mapping[str, Any]
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. issuer: an API key's id (HS256) or an organization's slug (EdDSA).

    repos: lower-cased ``org/repo`` -> the scope held there; repo_ids: ids; None in both: every repo there is.
    Times are Unix seconds.
    """

    issuer: str
    issued_at: int
    expires_at: int
    scopes: tuple[Scope, ...]
    repos: Mapping[str, Scope] | None = None
    repo_ids: tuple[str, ...] | None = None
    authors: tuple[Author, ...] = ()


def parse_token(text: str) -> Token | None:
    """None when the credential is no token but an opaque API key; TokenError when it is a broken one."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    header = _json_object(parts[0])
    if header is None or header.get("typ") != TOKEN_TYPE:
        return None
    payload, algorithm = _json_object(parts[1]), header.get("alg")
    if payload is None or not isinstance(algorithm, str) or algorithm not in MAX_TTL:
        raise TokenError("the access token cannot be read")
    try:
        signature = b64url_decode(parts[2])
    except ValueError:
        raise TokenError("the access token's signature cannot be read") from None
    return Token(
        "HS256" if algorithm == "HS256" else "EdDSA", header, payload, f"{parts[0]}.{parts[1]}".encode(), signature
    )


def api_key_id_of(token: Token) -> str:
    """The API key an HS256 token names in ``kid`` (``<id>.v1``)."""
    kid = token.header.get("kid")
    key_id, _, version = kid.rpartition(".") if isinstance(kid, str) else ("", "", "")
    if token.algorithm != "HS256" or not key_id or version != "v1" or token.payload.get("iss") != key_id:
        raise TokenError("the access token does not name its API key")
    return key_id


def public_x_of(token: Token) -> str:
    """The public key an EdDSA token carries in its header; it proves nothing until it is found registered."""
    jwk = token.header.get("jwk")
    if token.algorithm != "EdDSA" or not isinstance(jwk, dict) or not isinstance(jwk.get("x"), str):
        raise TokenError("the access token does not carry its public key")
    return str(jwk["x"])


def verify(token: Token, key: str) -> None:
    """TokenError when it was not signed with key: `api_key_hash` for HS256, the registered public ``x`` for EdDSA."""
    if token.algorithm == "HS256":
        genuine = hmac.compare_digest(hmac_sha256(key, token.signed), token.signature)
    else:
        genuine = _ed25519_fits(token, key)
    if not genuine:
        raise TokenError("the access token's signature does not fit")


def claims_of(token: Token, *, now: float) -> Claims:
    """The claims of a verified token; TokenError when it is expired, too long-lived or contradicts itself."""
    issuer, limit = token.payload.get("iss"), MAX_TTL[token.algorithm]
    if token.payload.get("aud") != AUDIENCE or not isinstance(issuer, str):
        raise TokenError("the access token is not meant for Mesa")
    issued_at, expires_at = token.payload.get("iat"), token.payload.get("exp")
    if type(issued_at) is not int or type(expires_at) is not int or issued_at > now + CLOCK_LEEWAY:
        raise TokenError("the access token's times are wrong")
    if not 0 < expires_at - issued_at <= limit:
        raise TokenError(f"an access token lives 1 to {limit} seconds")
    if expires_at <= now:
        raise TokenError("the access token has expired")
    scopes, repos = _rights(issuer, token.payload)
    return Claims(issuer, issued_at, expires_at, scopes, repos, _repo_ids(token.payload), _authors(token.payload))


def _json_object(part: str) -> dict[str, Any] | None:
    try:
        value = json.loads(b64url_decode(part))
        json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates, which no database takes
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _ed25519_fits(token: Token, public_x: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(b64url_decode(public_x)).verify(token.signature, token.signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _rights(issuer: str, payload: Mapping[str, Any]) -> tuple[tuple[Scope, ...], Mapping[str, Scope] | None]:
    forms = [form for form in ("admin", "access", "scopes") if form in payload]
    if forms == ["admin"] and payload["admin"] is True:
        return scopes_within(["admin"]), None
    if forms == ["access"]:
        access = _access(issuer, payload["access"])
        return scopes_within(access.values()), access
    if forms == ["scopes"]:
        return _scoped_rights(payload)
    raise TokenError("the access token must hold exactly one of admin, access and scopes")


def _access(org: str, access: object) -> Mapping[str, Scope]:
    """Names that differ only in case are one repo, and write wins."""
    if not isinstance(access, dict) or not 1 <= len(access) <= MAX_REPOS:
        raise TokenError(f"access of the access token must name 1 to {MAX_REPOS} repos")
    if not all(isinstance(right, str) and right in ACCESS for right in access.values()):
        raise TokenError("access of the access token must be read-repo or write-repo")
    read_first = sorted(access.items(), key=lambda item: str(item[1]))
    return {f"{org}/{name}".lower(): ACCESS[right] for name, right in read_first}


def _scoped_rights(payload: Mapping[str, Any]) -> tuple[tuple[Scope, ...], Mapping[str, Scope] | None]:
    scopes = scopes_within(_texts(payload["scopes"], "scopes"))
    if not scopes:
        raise TokenError("the access token has no scope")
    if (names := payload.get("repos")) is None:
        return scopes, None
    return scopes, {name.lower(): scopes[-1] for name in _texts(names, "repos")}


def _repo_ids(payload: Mapping[str, Any]) -> tuple[str, ...] | None:
    ids = payload.get("repo_ids")
    return None if ids is None else tuple(_texts(ids, "repo_ids"))


def _authors(payload: Mapping[str, Any]) -> tuple[Author, ...]:
    """``authors`` is a list of objects (0.48), the older ``author`` a list of pairs (0.43)."""
    try:
        authors = [Author(item["name"], item.get("email")) for item in payload.get("authors") or []]
        authors += [Author(name, email) for name, email in payload.get("author") or []]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise TokenError("the access token's authors cannot be read") from None
    if len(authors) > MAX_AUTHORS:
        raise TokenError(f"an access token names {MAX_AUTHORS} authors at most")
    return tuple(authors)


def _texts(value: object, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenError(f"{name} of the access token is not a list of texts")
    return value
