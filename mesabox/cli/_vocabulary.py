"""Every word that can be typed, as shell completion needs it: read from the commands themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesabox.cli._tree import root

_NOUNS: Mapping[str, str] = {
    "REPO": "repos",
    "SPRITE": "sprites",
    "SPRITE...": "sprites",
    "[SPRITE|RUN...]": "sprites",
    "--repo": "repos",
    "--sprite": "sprites",
}
"""What a placeholder or an option stands for, where completion knows names of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A command or group. path: ``/repo/create``, empty for mesabox itself.

    words: its subcommands, or what its argument can be. noun: of its argument, where names are known.
    choices: option -> the words it takes. nouns: option -> what its value is a name of.
    """

    path: str
    words: tuple[str, ...]
    options: tuple[str, ...]
    noun: str
    choices: Mapping[str, tuple[str, ...]]
    nouns: Mapping[str, str]


def places() -> list[Place]:
    """In the order of the paths; every command file is imported."""
    command = root()
    with command.make_context("mesabox", [], resilient_parsing=True) as context:
        return list(_below(command, context, ""))


def _below(command: Any, context: Any, path: str) -> Iterator[Place]:
    names = command.list_commands(context) if hasattr(command, "list_commands") else []
    yield _place(command, context, path, tuple(names))
    for name in names:
        yield from _below(command.get_command(context, name), context, f"{path}/{name}")


def _place(command: Any, context: Any, path: str, words: tuple[str, ...]) -> Place:
    options = [param for param in command.get_params(context) if param.param_type_name == "option"]
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    by_name = {name: option for option in options for name in (*option.opts, *option.secondary_opts)}
    return Place(
        path=path,
        words=words or (_choices(arguments[0]) if arguments else ()),
        options=tuple(sorted(name for name in by_name if name.startswith("--"))),
        noun=_NOUNS.get(arguments[0].metavar or "", "") if arguments else "",
        choices={name: found for name, option in by_name.items() if (found := _choices(option))},
        nouns={name: _NOUNS[name] for name in by_name if name in _NOUNS},
    )


def _choices(param: Any) -> tuple[str, ...]:
    described = param.type_descriptor
    return tuple(map(str, described.choices or ())) if described.is_choice else ()
