"""Secrets on their way into a command's environment, and nowhere else.

Their values travel on the stdin of a short exec into a 0600 file on tmpfs; the last words before the command read that
file, remove it, export what it holds and become the command. No argv, URL or other process ever has them.
"""

import contextlib
import secrets
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from mesabox.clients.base import SandboxHost, Secret
from mesabox.errors import Failed, MesaboxError, Unsupported
from mesabox.flow import scripts
from mesabox.flow.running.asking import ask

_LIMIT = 30.0
_REMOVE_LIMIT = 2.0
_NO_TMPFS = 76


def new_file() -> str:
    """A name that cannot be guessed."""
    return f"/dev/shm/.mesabox-secret-{secrets.token_hex(16)}"


def loading(file: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words that become ``argv`` with the secrets of ``file`` in its environment."""
    return ("sh", "-c", scripts.WITH_SECRETS, file, *argv)


@asynccontextmanager
async def delivered(
    sandboxes: SandboxHost, sprite: str, file: str, values: Mapping[str, Secret]
) -> AsyncIterator[None]:
    """Inside, ``file`` waits in the sprite for the one that reads it; after a failure inside it is gone too."""
    if not values:
        yield
        return
    done = await ask(sandboxes, sprite, scripts.sh(scripts.TAKE_SECRETS, file), stdin=_exports(values), timeout=_LIMIT)
    if done.exit_code == _NO_TMPFS:
        why = "it has no tmpfs at /dev/shm, and a secret is never written to a disk"
        raise Unsupported(f"sprite '{sprite}' has no place for secrets", why=why, code="no_tmpfs")
    if done.exit_code != 0:
        raise Failed(f"the secrets did not arrive in sprite '{sprite}'", why=f"exit {done.exit_code}")
    try:
        yield
    except BaseException:
        await remove(sandboxes, sprite, file)
        raise


async def remove(sandboxes: SandboxHost, sprite: str, file: str) -> None:
    """Where nobody may have read it. Best effort: the sprite may be gone, and what is read is removed already."""
    with contextlib.suppress(MesaboxError):
        await ask(sandboxes, sprite, ["rm", "-f", "--", file], timeout=_REMOVE_LIMIT)


def _exports(values: Mapping[str, Secret]) -> bytes:
    lines = [f"export {name}={shlex.quote(secret.reveal())}\n" for name, secret in values.items()]
    return "".join(['rm -f -- "$0"\n', *lines, scripts.WHOLE]).encode("utf-8", "surrogateescape")
