"""Mount repos in a sprite, and return when their folders answer.

Installs mesa in the sprite when it is missing and makes FUSE usable. The key comes from --key-file or
MESABOX_MOUNT_KEY; with neither, one is minted for these repos, which `mesabox down SPRITE` revokes.
"""

from typing import Annotated

from typer import Option

from mesabox.cli._checks import key_lifetime
from mesabox.cli._flow import recorded
from mesabox.cli._options import SpriteName
from mesabox.clients.base import Key, Repo, Secret
from mesabox.flow import steps
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.services import Services
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table

EXAMPLES = (
    "mesabox mount builder --repo agent-workspace",
    "mesabox key mint --repo agent-workspace -q | mesabox mount builder --repo agent-workspace --key-file -",
    "mesabox mount builder --repo library --read-only",
)


async def command(
    board: Switchboard,
    sprite: SpriteName,
    repo: Annotated[list[str], Option(help="A repo to mount; can be repeated.", show_default=False)],
    key_file: Annotated[
        str | None, Option(metavar="FILE", help="A file with the key, or - for stdin.", show_default=False)
    ] = None,
    ttl: Annotated[str, Option(help="How long a minted key lives: 1h, none.")] = "1h",
    read_only: Annotated[bool, Option("--read-only", help="Mint a key that only reads.")] = False,
) -> Result:
    given = board.mount_key(key_file)
    async with recorded(board) as (services, ledger):
        wanted, _ = await steps.together(_repos(services, repo), steps.prepare_mesa(services, sprite))
        assert isinstance(wanted, list)
        scopes = ["read"] if read_only else ["read", "write"]
        key = _as_key(given) if given else await _mint(services, ledger, sprite, wanted, scopes, key_lifetime(ttl))
        mounted = await steps.mount_repos(
            services, ledger, sprite, org=wanted[0].org, repos=repo, key=key, lasting=True
        )
    rows = [(name, "rw" if place.writable else "ro", place.folder) for name, place in mounted.items()]
    data = [{"repo": name, "access": access, "folder": folder} for name, access, folder in rows]
    return Result(
        data=data, view=[Table(("repo", "access", "folder"), rows, empty="")], quiet=[folder for _, _, folder in rows]
    )


async def _repos(services: Services, names: list[str]) -> list[Repo]:
    return [await services.repos.repo(name) for name in names]


async def _mint(
    services: Services, ledger: Ledger, sprite: str, repos: list[Repo], scopes: list[str], lifetime: float | None
) -> Key:
    return await steps.mint_key(
        services, ledger, name="sandbox-session", scopes=scopes, lifetime=lifetime, repos=repos, sprite=sprite
    )


def _as_key(given: Secret) -> Key:
    """A key somebody else made: it is not ours to revoke. A signed token has three parts."""
    token = given.reveal().count(".") == 2
    return Key.held(given, revocable=not token)
