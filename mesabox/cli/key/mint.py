"""Mint a key that ends by itself; -q prints the secret alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from typer import Option

from mesabox.cli._checks import key_lifetime
from mesabox.cli._flow import recorded
from mesabox.cli.key._facts import key_data
from mesabox.clients.base import Key
from mesabox.flow import steps
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Fields, Result
from mesabox.wire.mesa import scopes_within

EXAMPLES = (
    "mesabox key mint --repo notes",
    "mesabox key mint --repo notes --scope read --ttl 30m --json",
    "mesabox key mint --repo notes -q | mesabox mount builder --repo notes --key-file -",
)


async def command(
    board: Switchboard,
    repo: Annotated[list[str] | None, Option(help="Only for this repo; can be repeated.", show_default=False)] = None,
    scope: Annotated[Literal["read", "write", "admin"], Option(help="What it may do.")] = "write",
    ttl: Annotated[str, Option(help="How long it lives: 30m, 1h, none.")] = "1h",
    name: Annotated[str, Option(help="What it is called in lists.")] = "mesabox",
) -> Result:
    lifetime = key_lifetime(ttl)
    async with recorded(board) as (services, ledger):
        repos = [await services.repos.repo(one) for one in repo] if repo else None
        key = await steps.mint_key(
            services, ledger, name=name, scopes=scopes_within([scope]), lifetime=lifetime, repos=repos
        )
    return _result(key if key.expires_at or lifetime is None else _ending(key, lifetime), repo)


def _ending(key: Key, lifetime: float) -> Key:
    """A creation's answer carries no expiry (wire/mesa §1.3)."""
    return replace(key, expires_at=key.created_at + timedelta(seconds=int(lifetime)))


def _result(key: Key, repos: list[str] | None) -> Result:
    assert key.secret is not None, "a key is minted with its secret"
    secret = key.secret.reveal()
    fields = Fields(
        [
            ("key", secret),
            ("id", key.id or None),
            ("scopes", key.scopes),
            ("repos", repos or "all of the organization"),
            ("expires", key.expires_at or "never"),
        ]
    )
    ends = "it can be revoked" if key.revocable else "a signed token: it cannot be revoked, it runs out"
    return Result(data={**key_data(key), "key": secret}, view=[fields], quiet=[secret], notes=[f"shown once; {ends}"])
