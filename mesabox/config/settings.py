"""The settings: flags > environment > project mesabox.toml > user config.toml > defaults, each with its origin."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mesabox.config.layers import Kind, Layer, of_environment, of_file, of_flags
from mesabox.config.paths import Paths
from mesabox.errors import UsageProblem
from mesabox.wire.durations import parse_duration

Keep = Literal["never", "on-failure", "always"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NOT_IN_PROJECTS = ("isolation", "mesa_api_url", "sprites_api_url")
"""A project's file comes with a clone: it must not send credentials elsewhere, nor take the walls away."""


def _limit(text: str) -> str:
    if text != "none" and parse_duration(text) <= 0:
        raise ValueError("a limit is more than nothing")
    return text


def _service_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("it must be https://… (http:// only for this machine), since credentials are sent there")
    return text.rstrip("/")


Limit = Annotated[str, AfterValidator(_limit)]
"""``30m``, ``1h`` or ``none``."""

ServiceUrl = Annotated[str, AfterValidator(_service_url)]


class GoSettings(BaseModel):
    """The ``[go]`` table: what ``mesabox go`` does when its flags do not say."""

    model_config = ConfigDict(extra="forbid")

    repo: Annotated[str, Field(description="The repo that `mesabox go` works in.")] = "agent-workspace"
    bookmark: Annotated[str | None, Field(description="The bookmark; the repo's default one when unset.")] = None
    sprite: Annotated[str | None, Field(description="A lasting sprite; a new one for each run when unset.")] = None
    timeout: Annotated[Limit, Field(description="The command's limit: 30m, 1h, none.")] = "1h"
    keep: Annotated[Keep, Field(description="Keep the sprite: never, on-failure, always.")] = "never"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(extra="forbid")

    engine: Annotated[
        Literal["auto", "local", "cloud"], Field(description="Which service answers: auto, local, cloud.")
    ] = "auto"
    isolation: Annotated[
        Literal["auto", "none"], Field(description="none: local sandboxes become plain processes.")
    ] = "auto"
    org: Annotated[str | None, Field(description="The Mesa organization; asked from the service when unset.")] = None
    mesa_api_url: Annotated[ServiceUrl, Field(description="Mesa's address.")] = "https://api.mesa.dev/v1"
    sprites_api_url: Annotated[ServiceUrl, Field(description="Sprites' address.")] = "https://api.sprites.dev"
    go: GoSettings = GoSettings()

    _layers: tuple[Layer, ...] = PrivateAttr(())

    def origin(self, key: str) -> tuple[Kind, str]:
        """(kind, how it was called there) of a dotted key: ``("environment", "MESABOX_ENGINE")``."""
        for layer in self._layers:
            if key in layer.dotted():
                return layer.kind, layer.names(key)
        return "default", ""

    def items(self) -> list[tuple[str, Any]]:
        """Every setting by dotted key, in the order of declaration."""
        own = self.model_dump()
        table = own.pop("go")
        return [*own.items(), *((f"go.{name}", value) for name, value in table.items())]


class _LayerSource(PydanticBaseSettingsSource):
    def __init__(self, settings: type[BaseSettings], layer: Layer) -> None:
        super().__init__(settings)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._layer.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._layer.values)


def load(paths: Paths, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """flags: by dotted key. Raises UsageProblem naming file or variable, key, value and fix."""
    layers = (
        of_flags(flags),
        of_environment(environ),
        of_file("project", paths.project),
        of_file("user", paths.config),
    )
    _refuse_from_project(layers[2])
    try:
        settings = _settings_of(layers)()
    except ValidationError as error:
        raise _problem(error.errors()[0], layers) from None
    settings._layers = layers
    return settings


def _settings_of(layers: tuple[Layer, ...]) -> type[Settings]:
    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: object, **__: object
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(map(partial(_LayerSource, settings_cls), layers))

    return Layered


def _refuse_from_project(project: Layer) -> None:
    for key in project.dotted():
        if key in _NOT_IN_PROJECTS:
            raise UsageProblem(
                f"{key} cannot be set in {project.where}",
                why="a project's file may come from someone else",
                fix=f"set {key} in your own config.toml (`mesabox config path`), the environment or a flag",
                code="bad_config",
            )


def _problem(error: Any, layers: tuple[Layer, ...]) -> UsageProblem:
    key = ".".join(str(part) for part in error["loc"])
    layer = next(
        (layer for layer in layers if any(k == key or k.startswith(key + ".") for k in layer.dotted())), layers[0]
    )
    if error["type"] == "extra_forbidden":
        known = [name for name, _ in Settings.model_construct().items()]
        close = get_close_matches(key, known, n=1)
        fix = f"did you mean {close[0]}?" if close else f"known settings: {', '.join(known)}"
        return UsageProblem(f"there is no setting {layer.names(key)}", fix=fix, code="bad_config")
    reason = error["msg"].removeprefix("Value error, ")
    return UsageProblem(
        f"{layer.names(key)}: {error['input']!r} is not accepted",
        why=reason,
        fix=f"correct {layer.names(key)}",
        code="bad_config",
    )
