"""Every environment variable mesabox reads, in one list; nothing outside this room reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Variable:
    """help: one line for ``mesabox help environment``. secret: never shown. setting: the setting that it fills."""

    name: str
    help: str
    secret: bool = False
    setting: str | None = None


VARIABLES = (
    Variable("MESABOX_ENGINE", "which service answers: auto, local or cloud", setting="engine"),
    Variable(
        "MESABOX_ISOLATION", "auto, or none: sandboxes of the local engine become plain processes", setting="isolation"
    ),
    Variable("MESABOX_HOME", "one folder for configuration, state, cache and sockets"),
    Variable("MESABOX_MOUNT_KEY", "the Mesa key that `mesabox mount` gives to the sprite", secret=True),
    Variable("MESA_API_KEY", "a Mesa API key (preferred: the keys it mints can be revoked)", secret=True),
    Variable("MESA_PRIVATE_KEY", "a Mesa private key; signs short-lived tokens", secret=True),
    Variable("MESA_ORG", "the Mesa organization; asked from the service when unset", setting="org"),
    Variable("MESA_API_URL", "Mesa's address (https://api.mesa.dev/v1)", setting="mesa_api_url"),
    Variable("SPRITES_TOKEN", "a Sprites token", secret=True),
    Variable("SPRITE_TOKEN", "a Sprites token, looked at after SPRITES_TOKEN", secret=True),
    Variable("SPRITES_API_URL", "Sprites' address (https://api.sprites.dev)", setting="sprites_api_url"),
    Variable("XDG_CONFIG_HOME", "where config.toml lives (~/.config)"),
    Variable("XDG_STATE_HOME", "where records, repos and sprites live (~/.local/state)"),
    Variable("XDG_CACHE_HOME", "where what can be rebuilt lives (~/.cache)"),
    Variable("XDG_RUNTIME_DIR", "where sockets live"),
    Variable("NO_COLOR", "set: no colour"),
    Variable("FORCE_COLOR", "set: colour without a terminal too"),
    Variable("TERM", "dumb: no colour and no animation; passed to a remote terminal"),
    Variable("COLORTERM", "passed to a remote terminal"),
    Variable("LANG", "passed to a remote terminal"),
    Variable("CI", "set: no prompt, no animation"),
    Variable("GITHUB_ACTIONS", "true: progress and errors as GitHub's workflow commands"),
    Variable("GITHUB_OUTPUT", "the file that takes a step's outputs: run_id, exit_code, change_id"),
    Variable("GITHUB_STEP_SUMMARY", "the file that takes a step's summary"),
)

_ENGINE_INHERITS = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "PYTHONPATH", "TMPDIR", "USER", "XDG_RUNTIME_DIR")


def process_environment() -> Mapping[str, str]:
    return os.environ


def environment_of_process(process: int) -> frozenset[bytes]:
    """``NAME=value`` as it was started with; nothing where that cannot be read."""
    try:
        return frozenset(Path(f"/proc/{process}/environ").read_bytes().split(b"\0"))
    except OSError:
        return frozenset()


def engine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the local engine's process is given: no credential, no setting, nothing it does not need."""
    return {name: environ[name] for name in _ENGINE_INHERITS if name in environ}


@dataclass(frozen=True, slots=True)
class TalkFacts:
    """How the environment wants us to talk."""

    no_color: bool = False
    force_color: bool = False
    dumb: bool = False
    ci: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "TalkFacts":
        return cls(
            no_color=bool(environ.get("NO_COLOR")),
            force_color=environ.get("FORCE_COLOR", "") not in ("", "0"),
            dumb=environ.get("TERM") == "dumb",
            ci=environ.get("CI", "").lower() not in ("", "0", "false"),
        )


@dataclass(frozen=True, slots=True)
class GithubFacts:
    """The files a step may write to; None where there is none."""

    output: str | None = None
    summary: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "GithubFacts | None":
        """None outside of GitHub Actions."""
        if environ.get("GITHUB_ACTIONS") != "true":
            return None
        return cls(environ.get("GITHUB_OUTPUT") or None, environ.get("GITHUB_STEP_SUMMARY") or None)
