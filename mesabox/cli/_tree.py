"""The folder is the command list: a file is a command, a folder a group; only the file asked for is imported."""

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from mesabox.cli._command import (
    CONTEXT,
    OUR_WORDS,
    Call,
    as_typer_command,
    flag_parameters,
    with_signature,
    write_examples,
    write_options,
)
from mesabox.cli._options import Flags, HelpWanted
from mesabox.ui.result import Manner

_FOLDER = Path(__file__).parent

TAGLINE = "From nothing to an agent's work, saved: a Mesa repo, a Sprite, a mount, a run."
_ROOT_EXAMPLES = (
    "mesabox go -- sh -c 'date > made-here.txt'",
    "mesabox repo list --json",
    "mesabox doctor",
    "mesabox help exit-codes",
)


class Folder(TyperGroup):
    """A group read from a folder of this package. Listing it opens files for their first line and imports none."""

    folder: Path = _FOLDER
    words: tuple[str, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(names_in(self.folder))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in names_in(self.folder):
            return None
        words = (*self.words, cmd_name)
        inner = self.folder / file_name(cmd_name)
        return _folder(inner, words) if inner.is_dir() else as_typer_command(_module(words), " ".join(words))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args == ["help"] and self.words:
            raise HelpWanted(ctx.get_help())
        self.commands = dict.fromkeys(names_in(self.folder))  # type: ignore[assignment]  # names for "did you mean"
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            raise HelpWanted(ctx.get_help())
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(self.folder / file_name(name))) for name in self.list_commands(ctx)])
        if not self.words:
            with formatter.section("Options"):
                formatter.write_dl([("--version", "Print the version and exit.")])
        write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_examples(getattr(_module(self.words), "EXAMPLES", ()) if self.words else _ROOT_EXAMPLES, formatter)


def read(words: list[str]) -> Call:
    """The call the words mean. Raises HelpWanted, and typer.TyperException for words that do not fit."""
    mesabox = root()
    with mesabox.make_context("mesabox", list(words)) as context:
        call: Call = mesabox.invoke(context)
    return call


def flags_of_refusal(refusal: BaseException, words: list[str]) -> Flags:
    """The flags of words that did not parse: never those of the user's own program."""
    context = getattr(refusal, "ctx", None)
    outer = context.find_root().obj if context else None
    return Flags.glimpse(_ours(refusal, words)).over(outer if isinstance(outer, Flags) else Flags())


def manner_of_refusal(refusal: BaseException, words: list[str]) -> Manner:
    manner = flags_of_refusal(refusal, words).manner()
    return replace(manner, ndjson="--ndjson" in _ours(refusal, words) and not manner.json)


def _ours(refusal: BaseException, words: list[str]) -> list[str]:
    context = getattr(refusal, "ctx", None)
    ours: list[str] = context.meta.get(OUR_WORDS, words) if context else words
    return ours[: ours.index("--")] if "--" in ours else ours


def root() -> Any:
    """``mesabox`` itself, as a group."""
    return _folder(_FOLDER, ())


def help_of(words: list[str]) -> str:
    """The help of the command these words name."""
    try:
        read([*words, "--help"])
    except HelpWanted as wanted:
        return wanted.text
    raise AssertionError("--help is answered before anything else")


def names_in(folder: Path) -> Iterable[str]:
    """Commands and groups of a folder, as they are typed."""
    for entry in folder.iterdir():
        if not entry.name.startswith(("_", ".")) and (entry.suffix == ".py" or (entry / "__init__.py").exists()):
            yield entry.stem.replace("_", "-")


def file_name(command: str) -> str:
    return command.replace("-", "_")


def summary(path: Path) -> str:
    """The first line of the docstring of a command's file or a group's ``__init__``, read without importing it."""
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    with source.open(encoding="utf-8") as lines:
        return lines.readline().strip().strip('"')


def _folder(folder: Path, words: tuple[str, ...]) -> Any:
    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, cls=Folder, help=_text(words), name="".join(words[-1:])
    )
    app.callback()(_remembering_flags() if not words else _taking_help())
    group = typer.main.get_command(app)
    group.folder, group.words = folder, words  # type: ignore[attr-defined]
    return group


def _remembering_flags() -> Any:
    def remember(context: typer.Context, **values: Any) -> None:
        context.obj = Flags(**values)

    return with_signature(remember, [CONTEXT, *flag_parameters()])


def _taking_help() -> Any:
    def nothing(**_: Any) -> None: ...

    return with_signature(nothing, [flag for flag in flag_parameters() if flag.name == "help"])


def _text(words: tuple[str, ...]) -> str:
    return summary(_FOLDER.joinpath(*map(file_name, words))) if words else TAGLINE


def _module(words: tuple[str, ...]) -> Any:
    return import_module(".".join((__package__, *map(file_name, words))))
