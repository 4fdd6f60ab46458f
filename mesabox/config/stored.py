"""Credentials that `mesabox auth login` keeps: in the OS keyring where one works, else in a 0600 file of their own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mesabox.errors import CredentialsProblem, UsageProblem
from mesabox.wire.mesa_tokens import PrivateKey

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

Service = Literal["mesa", "sprites"]
Place = Literal["keyring", "file"]
SERVICES: tuple[Service, ...] = ("mesa", "sprites")

_OWNER = "mesabox"
_LEAST_PRIORITY = 1
"""What keyring itself recommends at least: below are the ones that fail, forget, or write plain text."""


class Stored:
    """file: an index of what is kept where; a credential itself is in it only where there is no keyring."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def places(self) -> dict[Service, Place]:
        index = self._index()
        return {service: index[service]["in"] for service in SERVICES if service in index}

    def secret(self, service: Service) -> str | None:
        """CredentialsProblem when the keyring that has it does not give it."""
        entry = self._index().get(service)
        if entry is None:
            return None
        return str(entry["secret"]) if entry["in"] == "file" else self._of_keyring(service)

    def keep(self, service: Service, secret: str) -> Place:
        """Where it is kept from now on; what was kept for the service before is gone."""
        before = self.places().get(service)
        place: Place = "keyring" if self._to_keyring(service, secret) else "file"
        self._write({**self._index(), service: {"in": place, **({"secret": secret} if place == "file" else {})}})
        if (before, place) == ("keyring", "file"):
            _forget_in_keyring(self._user(service))
        return place

    def forget(self, service: Service) -> bool:
        """Whether there was anything."""
        index = self._index()
        entry = index.pop(service, None)
        if entry is None:
            return False
        if entry["in"] == "keyring":
            _forget_in_keyring(self._user(service))
        self._write(index)
        return True

    def _user(self, service: Service) -> str:
        """Each home has credentials of its own."""
        return f"{service} {self._file.parent}"

    def _to_keyring(self, service: Service, secret: str) -> bool:
        backend = _keyring()
        if backend is None:
            return False
        try:
            backend.set_password(_OWNER, self._user(service), secret)
            return backend.get_password(_OWNER, self._user(service)) == secret
        except Exception:  # backends raise what they like: locked, no session bus, refused
            return False

    def _of_keyring(self, service: Service) -> str:
        backend, why = _keyring(), "there is no keyring here any more"
        found = None
        if backend is not None:
            try:
                found, why = backend.get_password(_OWNER, self._user(service)), "it is not in there any more"
            except Exception as failure:
                why = str(failure) or type(failure).__name__
        if found is None:
            what = f"the keyring does not give the stored {service} credential"
            fix = f"unlock the keyring, or: mesabox auth login {service}; --engine local goes without"
            raise CredentialsProblem(what, why=why, fix=fix, code="keyring")
        return found

    def _index(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(map(_is_entry, found.values())):
            fix = f"remove {self._file}, and log in again"
            raise UsageProblem(f"{self._file} cannot be read", why="it is damaged", fix=fix, code="bad_config")
        return found

    def _write(self, index: Mapping[str, Any]) -> None:
        """All of it or none, and never readable by others."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._file.with_name(f".{self._file.name}-{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(index, file)
        fresh.replace(self._file)


def checked(service: Service, text: str) -> str:
    """The credential in what was piped in. UsageProblem, which never quotes it, for what cannot be one."""
    secret = text.strip()
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        why = "it is empty" if not secret else "a credential is one word of printable ASCII"
        fix = f"mesabox auth login {service} --with-token < FILE"
        raise UsageProblem(f"that is not a {service} credential", why=why, fix=fix)
    if service == "mesa" and is_private_key(secret):
        try:
            PrivateKey.parse(secret)
        except ValueError as error:
            raise UsageProblem("that is not a Mesa private key", why=str(error), fix="copy it again, whole") from None
    return secret


def is_private_key(secret: str) -> bool:
    return secret.startswith("mesa_private_key_")


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and (entry.get("in") == "keyring" or {"in", "secret"} <= entry.keys())


def _keyring() -> KeyringBackend | None:
    """The OS's keyring, when one works here. Imported now: it takes longer than most commands."""
    try:
        import keyring

        backend = keyring.get_keyring()
        return backend if backend.priority >= _LEAST_PRIORITY else None
    except Exception:  # not installed; or its own settings name a backend that is not there, or does not load
        return None


def _forget_in_keyring(user: str) -> None:
    backend = _keyring()
    with contextlib.suppress(Exception):  # gone already, or locked: nothing here points at it any more
        if backend is not None:
            backend.delete_password(_OWNER, user)
