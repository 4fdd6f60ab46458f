"""Mesa's identifiers, names and scopes, as its published clients (mesa_rest, @mesadev/rest) spell them."""

import re
from collections.abc import Collection, Iterable
from typing import Literal, get_args

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Hierarchical: each scope contains those before it."""

VIRTUAL_ROOT_CHANGE_ID = "z" * 32
"""The change an empty repo's bookmark points at; its tree is the empty tree."""
EMPTY_TREE_OID = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

KEY_TTL_SECONDS = range(100, 31_536_000 + 1)
"""What ``expires_in_seconds`` of a new API key may be."""
MAX_REPO_NAME = 100
MAX_TAG_KEY = 64
MAX_TAG_VALUE = 256

RESERVED_REPO_NAMES = frozenset({"repo", "repos", "api-key", "api-keys", "webhook-targets"})
_REPO_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_REPO_NAME}}}")
_ORG_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")

_HEX = "0123456789abcdef"
_REVERSE_HEX = "zyxwvutsrqponmlk"
_TO_REVERSE = str.maketrans(_HEX, _REVERSE_HEX)
_TO_HEX = str.maketrans(_REVERSE_HEX, _HEX)
_CHANGE_ID = re.compile(rf"[{_REVERSE_HEX}]{{32}}|[{_HEX}]{{32}}")


def change_id_from_bytes(raw: bytes) -> str:
    """16 bytes as the 32 letters (``k``..``z``) the REST API speaks: jj's reverse hex."""
    if len(raw) != 16:
        raise ValueError("a change id has 16 bytes")
    return raw.hex().translate(_TO_REVERSE)


def parse_change_id(text: str) -> str:
    """Either spelling (reverse hex of REST, plain hex of the filesystem and ``MESA_REPO_REVS``) -> reverse hex."""
    if not _CHANGE_ID.fullmatch(text):
        raise ValueError("a change id is 32 letters k-z, or 32 hex digits")
    return text.translate(_TO_REVERSE)


def change_id_hex(change_id: str) -> str:
    """Either spelling -> plain hex."""
    return parse_change_id(change_id).translate(_TO_HEX)


def check_repo_name(name: str) -> str:
    """The name itself; ValueError says what is wrong with it (the rules of the clients' token signer)."""
    if not _REPO_NAME.fullmatch(name):
        raise ValueError(f"a repo name is 1 to {MAX_REPO_NAME} of the characters A-Z a-z 0-9 . _ -")
    if name in (".", "..") or name.lower().endswith(".git"):
        raise ValueError("a repo name is not '.' or '..' and does not end in '.git'")
    if name.lower() in RESERVED_REPO_NAMES:
        raise ValueError(f"'{name}' is a reserved word")
    return name


def check_org_slug(slug: str) -> str:
    if not _ORG_SLUG.fullmatch(slug):
        raise ValueError("an organization's slug is lower-case letters, digits and inner hyphens")
    return slug


def scopes_within(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """All that these permit, smallest first: ``["write"]`` -> ``("read", "write")``; unknown names permit nothing."""
    known = [SCOPES.index(scope) for scope in SCOPES if scope in set(scopes)]
    return SCOPES[: max(known) + 1] if known else ()


def common_scopes(some: Iterable[str], others: Iterable[str]) -> tuple[Scope, ...]:
    """What both lists permit."""
    return min(scopes_within(some), scopes_within(others), key=len)


def permits(scopes: Collection[str], needed: Scope) -> bool:
    return needed in scopes_within(scopes)
