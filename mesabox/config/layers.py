"""Where values come from: flags, the environment, the project's file, the user's file; and what a wrong one is told."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mesabox.config.environment import VARIABLES
from mesabox.errors import UsageProblem

Kind = Literal["flag", "environment", "project", "user", "default"]


@dataclass(frozen=True, slots=True)
class Layer:
    """values: nested as in the TOML files. where: the file's path, empty for flags and the environment."""

    kind: Kind
    values: Mapping[str, Any]
    where: str = ""

    def names(self, key: str) -> str:
        """How the person who set ``go.repo`` here calls it."""
        if self.kind == "flag":
            return "--" + key.rpartition(".")[2].replace("_", "-")
        if self.kind == "environment":
            return next((variable.name for variable in VARIABLES if variable.setting == key), key)
        return f"{key} in {self.where}"

    def dotted(self) -> Iterator[str]:
        """The keys set here."""
        return _dotted(self.values, "")


def of_flags(flags: Mapping[str, Any]) -> Layer:
    """flags: by dotted key; what was not given is absent."""
    nested: dict[str, Any] = {}
    for key, value in flags.items():
        *tables, last = key.split(".")
        table = nested
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = value
    return Layer("flag", nested)


def of_environment(environ: Mapping[str, str]) -> Layer:
    """An empty variable counts as unset."""
    return Layer("environment", {v.setting: environ[v.name] for v in VARIABLES if v.setting and environ.get(v.name)})


def of_file(kind: Kind, path: Path | None) -> Layer:
    """An absent file is an empty layer. Raises UsageProblem naming the file for what is not TOML."""
    if path is None or not path.is_file():
        return Layer(kind, {}, str(path or ""))
    try:
        return Layer(kind, tomllib.loads(path.read_text("utf-8")), str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path} is not TOML", why=str(error), fix=f"correct {path}", code="bad_config") from None


def _dotted(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name
