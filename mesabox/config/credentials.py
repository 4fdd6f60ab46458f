"""The credentials at hand, and which engine they lead to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from mesabox.config.stored import Service, Stored, is_private_key
from mesabox.errors import CredentialsProblem, UsageProblem

MESA_VARIABLES = ("MESA_API_KEY", "MESA_PRIVATE_KEY")
SPRITES_VARIABLES = ("SPRITES_TOKEN", "SPRITE_TOKEN")

STORED: Mapping[Service, str] = {"mesa": "the stored Mesa credential", "sprites": "the stored Sprites token"}
"""How what `mesabox auth login` keeps is called where the others are called by their variables."""

_LOCAL_INSTEAD = "or use the local engine: --engine local"
_SET = "set what is missing, or store it with mesabox auth login"
_POINT_AT_LOCAL = 'eval "$(mesabox engine env)" points these variables at the local engine'


@dataclass(frozen=True, slots=True)
class Credentials:
    """None where there is none. mesa_private_key beside a key is used when the service mints no keys any more."""

    mesa_api_key: str | None = None
    mesa_private_key: str | None = None
    sprites_token: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def has_mesa(self) -> bool:
        return bool(self.mesa_api_key or self.mesa_private_key)

    def __repr__(self) -> str:
        return f"Credentials(from {', '.join(self.sources) or 'nowhere'})"


def credentials_of(environ: Mapping[str, str], stored: Stored | None = None) -> Credentials:
    """An empty variable counts as unset; ``SPRITES_TOKEN`` goes before ``SPRITE_TOKEN``; what is stored comes last."""
    present = [name for name in (*MESA_VARIABLES, *SPRITES_VARIABLES) if environ.get(name)]
    token = next((name for name in SPRITES_VARIABLES if name in present), None)
    found = Credentials(
        mesa_api_key=environ.get("MESA_API_KEY") or None,
        mesa_private_key=environ.get("MESA_PRIVATE_KEY") or None,
        sprites_token=environ[token] if token else None,
        sources=tuple(name for name in present if name in MESA_VARIABLES or name == token),
    )
    return found if stored is None else _completed(found, stored)


def _completed(found: Credentials, stored: Stored) -> Credentials:
    if not found.has_mesa and (secret := stored.secret("mesa")):
        kind = "mesa_private_key" if is_private_key(secret) else "mesa_api_key"
        found = replace(found, **{kind: secret}, sources=(*found.sources, STORED["mesa"]))
    if not found.sprites_token and (secret := stored.secret("sprites")):
        found = replace(found, sprites_token=secret, sources=(*found.sources, STORED["sprites"]))
    return found


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """why: the end of the line "engine: local (no credentials in the environment)"."""

    name: Literal["local", "cloud"]
    why: str


def choose_engine(wanted: str, said_by: str, credentials: Credentials) -> EngineChoice:
    """wanted: auto | local | cloud; said_by: what set it ("--engine"). CredentialsProblem names what is missing."""
    if wanted == "local":
        return EngineChoice("local", said_by)
    if credentials.has_mesa and credentials.sprites_token:
        return EngineChoice("cloud", said_by if wanted == "cloud" else f"{' and '.join(credentials.sources)} are set")
    if wanted == "auto" and not credentials.sources:
        return EngineChoice("local", "no credentials in the environment")
    raise _missing(wanted, credentials)


def _missing(wanted: str, credentials: Credentials) -> CredentialsProblem:
    missing = []
    if not credentials.has_mesa:
        missing.append(f"a Mesa credential ({' or '.join(MESA_VARIABLES)})")
    if not credentials.sprites_token:
        missing.append("a Sprites token (SPRITES_TOKEN)")
    found = f"all that is set: {', '.join(credentials.sources)}" if credentials.sources else "none of either is set"
    return CredentialsProblem(
        f"the cloud needs {' and '.join(missing)}",
        why=found,
        fix=f"{_SET}, {_LOCAL_INSTEAD}" if wanted == "auto" else f"{_SET}; {_POINT_AT_LOCAL}",
        code="missing_credentials",
    )


def given_mount_key(file: str | None, stdin: BinaryIO, environ: Mapping[str, str]) -> str | None:
    """The key somebody else minted: of a file, of stdin (``-``), or MESABOX_MOUNT_KEY; None when none was given."""
    if file is None:
        return environ.get("MESABOX_MOUNT_KEY") or None
    try:
        key = (stdin.read() if file == "-" else Path(file).read_bytes()).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"cannot read a key from {file}", why=str(error)) from None
    if not key:
        raise UsageProblem(
            f"there is no key in {'stdin' if file == '-' else file}", fix="mesabox key mint -q prints one"
        )
    return key
