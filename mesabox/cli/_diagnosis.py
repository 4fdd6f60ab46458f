"""What ``doctor`` looks at, one check after another."""

import os
from dataclasses import dataclass
from pathlib import Path

from mesabox.clients.base import RepoHost, SandboxHost
from mesabox.errors import MesaboxError
from mesabox.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Check:
    """ok None: it is not there, and need not be. fix: the command or change that mends it."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""

    @classmethod
    def failed(cls, name: str, error: MesaboxError) -> "Check":
        return cls(name, False, f"{error.what}{f' ({error.why})' if error.why else ''}", error.fix)


async def machine(board: Switchboard) -> list[Check]:
    """First whether the local engine works here, then what its own probe found, in its words."""
    if board.settings.isolation == "none":
        return [Check("isolation", True, "WITHOUT ISOLATION, as asked: commands are plain processes of this machine")]
    try:
        probe = await board.engine.probe()
    except MesaboxError as error:
        return [Check.failed("isolation", error)]
    found = [Check(check["name"], check["ok"], check["detail"], check.get("fix") or "") for check in probe["checks"]]
    if not probe["isolated"]:
        fix = next((check.fix for check in found if check.fix and not check.ok), "--isolation none goes without")
        return [Check("isolation", False, "this machine does not isolate sandboxes", fix), *found]
    return [Check("isolation", True, f"tier {probe['tier']}"), *found]


def paths(board: Switchboard) -> list[Check]:
    places = board.paths
    named = {"config": places.config.parent, "state": places.state, "cache": places.cache, "runtime": places.runtime}
    return [_writable(name, folder) for name, folder in named.items()]


def engine(board: Switchboard) -> Check:
    endpoint = board.engine.endpoint()
    if endpoint is None:
        return Check("engine", None, "stopped; it starts by itself")
    walls = "" if endpoint.isolated else ", WITHOUT ISOLATION"
    return Check("engine", True, f"{endpoint.url}, process {endpoint.pid}{walls}")


def choice(board: Switchboard) -> Check:
    try:
        chosen = board.choice()
    except MesaboxError as error:
        return Check.failed("which engine", error)
    return Check("which engine", True, f"{chosen.name} ({chosen.why})")


async def cloud(board: Switchboard) -> list[Check]:
    """Asks both services, when there are credentials for both."""
    try:
        found = board.credentials
    except MesaboxError as error:
        return [Check.failed("stored credentials", error)]
    mesa = Check("mesa credential", None, "none; MESA_API_KEY, MESA_PRIVATE_KEY or mesabox auth login mesa")
    sprites = Check("sprites token", None, "none; SPRITES_TOKEN or mesabox auth login sprites")
    if not (found.has_mesa and found.sprites_token):
        if found.has_mesa:
            mesa = Check("mesa credential", None, "there, but not tried without a Sprites token")
        if found.sprites_token:
            sprites = Check("sprites token", None, "there, but not tried without a Mesa credential")
        return [mesa, sprites]
    async with board.with_settings(engine="cloud").services() as services:
        return [await _mesa(services.repos), await _sprites(services.sandboxes)]


async def _mesa(repos: RepoHost) -> Check:
    try:
        identity = await repos.whoami()
    except MesaboxError as error:
        return Check.failed("mesa credential", error)
    return Check("mesa credential", True, f"organization {identity.org}, may {', '.join(identity.scopes)}")


async def _sprites(sandboxes: SandboxHost) -> Check:
    try:
        count = len([sprite async for sprite in sandboxes.sprites()])
    except MesaboxError as error:
        return Check.failed("sprites token", error)
    return Check("sprites token", True, f"{count} sprites")


def _writable(name: str, folder: Path) -> Check:
    """An absent folder can be made when the nearest one above can be written."""
    above = next(up for up in (folder, *folder.parents) if up.exists())
    ok = os.access(above, os.W_OK | os.X_OK)
    return Check(f"{name} folder", ok, str(folder), "" if ok else f"make {above} writable, or set MESABOX_HOME")
