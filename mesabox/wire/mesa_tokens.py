"""Signing Mesa's access tokens: EdDSA under a private key (SDK 0.43 on), HS256 under an API key (0.36 to 0.44)."""

import base64
import binascii
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mesabox.wire.mesa import Scope, check_org_slug, check_repo_name

AUDIENCE = "mesa-api"
TOKEN_TYPE = "mesa-at+jwt"
DEFAULT_TTL = 900
"""Seconds, as the current SDK signs for each request."""
MAX_TTL: Mapping[str, int] = {"HS256": 86_400, "EdDSA": 14_400}
MAX_REPOS = 250
MAX_AUTHORS = 100
ACCESS: Mapping[str, Scope] = {"read-repo": "read", "write-repo": "write"}
"""The rights of the ``access`` claim."""
Algorithm = Literal["HS256", "EdDSA"]

_KEY_PREFIX = "mesa_private_key_"
_PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    email: str | None = None

    def __post_init__(self) -> None:
        texts = [self.name] if self.email is None else [self.name, self.email]
        if not self.name or any(not isinstance(text, str) or set(text) & set("<>\r\n\0") for text in texts):
            raise ValueError("an author's name and e-mail are texts without '<', '>' and line ends")


class PrivateKey:
    """An organization's Ed25519 key. It prints hidden; ``reveal()`` gives ``mesa_private_key_<org>_<body>``."""

    __slots__ = ("_seed", "org")

    def __init__(self, org: str, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError("an Ed25519 private key has 32 bytes")
        self.org = check_org_slug(org)
        self._seed = seed

    @classmethod
    def parse(cls, text: str) -> "PrivateKey":
        """ValueError when it is not canonical base64url of a canonical, unencrypted PKCS#8 key (never quotes it)."""
        org, underscore, body = text.removeprefix(_KEY_PREFIX).partition("_")
        if not text.startswith(_KEY_PREFIX) or not underscore:
            raise ValueError("a Mesa private key looks like mesa_private_key_<org>_<body>")
        der = b64url_decode(body)
        if not der.startswith(_PKCS8_ED25519):
            raise ValueError("the private key's body is not an unencrypted Ed25519 PKCS#8 key")
        return cls(org, der.removeprefix(_PKCS8_ED25519))

    def reveal(self) -> str:
        return f"{_KEY_PREFIX}{self.org}_{b64url(_PKCS8_ED25519 + self._seed)}"

    def __repr__(self) -> str:
        return f"PrivateKey({self.org}, ***)"

    def public_x(self) -> str:
        """The public half, as a JWK's ``x``."""
        # cryptography costs 60 ms to import, and most commands sign nothing
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return b64url(Ed25519PrivateKey.from_private_bytes(self._seed).public_key().public_bytes_raw())

    def sign(self, payload: Mapping[str, Any]) -> str:
        """The compact token with these claims."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        jwk = {"kty": "OKP", "crv": "Ed25519", "x": self.public_x()}
        signed = _signing_input({"alg": "EdDSA", "typ": TOKEN_TYPE, "jwk": jwk}, payload)
        return f"{signed}.{b64url(Ed25519PrivateKey.from_private_bytes(self._seed).sign(signed.encode()))}"


def sign_admin_token(key: PrivateKey, *, now: float, ttl: int = DEFAULT_TTL, authors: Sequence[Author] = ()) -> str:
    """A token with every right in the key's organization (claims of SDK 0.48 and later)."""
    return key.sign({"iss": key.org, "admin": True, **_author_claims(authors), **_times(now, ttl, "EdDSA")})


def sign_access_token(
    key: PrivateKey,
    access: Mapping[str, Scope],
    *,
    now: float,
    ttl: int = DEFAULT_TTL,
    authors: Sequence[Author] = (),
) -> str:
    """A token for the named repos only: bare name -> ``read`` or ``write`` (claims of SDK 0.48 and later)."""
    if not 1 <= len(access) <= MAX_REPOS:
        raise ValueError(f"a token names 1 to {MAX_REPOS} repos")
    if not set(access.values()) <= set(ACCESS.values()):
        raise ValueError("a token gives read or write to a repo")
    names = {check_repo_name(name): f"{scope}-repo" for name, scope in access.items()}
    return key.sign({"iss": key.org, "access": names, **_author_claims(authors), **_times(now, ttl, "EdDSA")})


def sign_with_api_key(
    key_id: str, api_key: str, *, scopes: Sequence[Scope], repos: Sequence[str] | None, now: float, ttl: int = 3600
) -> str:
    """An HS256 token; repos are ``org/repo`` names, None for all that the key may reach."""
    header = {"alg": "HS256", "typ": TOKEN_TYPE, "kid": f"{key_id}.v1"}
    rights = {"scopes": list(scopes), "repos": None if repos is None else list(repos), "iss": key_id}
    signed = _signing_input(header, {**rights, **_times(now, ttl, "HS256")})
    return f"{signed}.{b64url(hmac_sha256(api_key_hash(api_key), signed.encode()))}"


def api_key_hash(api_key: str) -> str:
    """What a server keeps of an API key, and at once the HMAC secret of the tokens signed with it."""
    return b64url(hashlib.sha256(api_key.encode()).digest())


def hmac_sha256(secret: str, data: bytes) -> bytes:
    return hmac.digest(secret.encode(), data, "sha256")


def b64url(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64url_decode(text: str) -> bytes:
    """ValueError unless it is the one canonical, unpadded spelling."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64url") from None
    if b64url(data) != text:
        raise ValueError("not canonical base64url")
    return data


def _times(now: float, ttl: int, algorithm: Algorithm) -> dict[str, Any]:
    if not 0 < ttl <= MAX_TTL[algorithm]:
        raise ValueError(f"an access token lives 1 to {MAX_TTL[algorithm]} seconds")
    issued_at = int(now)
    return {"aud": AUDIENCE, "iat": issued_at, "exp": issued_at + ttl, "jti": str(uuid.uuid4())}


def _author_claims(authors: Sequence[Author]) -> dict[str, Any]:
    return {"authors": [{"name": author.name, "email": author.email} for author in authors]} if authors else {}


def _signing_input(header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    return ".".join(b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
