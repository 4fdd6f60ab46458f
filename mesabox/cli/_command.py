"""From a command file's function to what Typer parses, and back to a call that can be run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import takewhile
from types import ModuleType
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from mesabox.cli._options import EXPOSED, Events, Flags, Ndjson
from mesabox.ui.result import Manner

if TYPE_CHECKING:
    from mesabox.switchboard import Switchboard
    from mesabox.ui.result import Result

OUR_WORDS = "mesabox.our_words"
"""In a context's ``meta``: the words before those of the user's own program."""
_COMMON = "Options of every command"
_ANY_BYTES = frozenset({"argv", "env", "secret", "events", "key_file", "env_file", "bundle"})
"""Words of another program, and paths of this machine: they need not be UTF-8."""
_EVENT_FLAGS: Mapping[str, tuple[Any, Any]] = {"ndjson": (Ndjson, False), "events": (Events, None)}
CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


@dataclass(frozen=True, slots=True)
class Call:
    """A command whose words parsed: running it is all that is left."""

    path: str
    function: Callable[..., Any]
    values: dict[str, Any]
    flags: Flags
    manner: Manner

    def run(self, board: Switchboard) -> Result:
        answer = self.function(board, **self.values)
        if inspect.iscoroutine(answer):
            import asyncio  # 30 ms, which help does not wait for

            answer = asyncio.run(answer)
        result: Result = answer
        return result


class Helpful(TyperCommand):
    """A command whose help ends with examples and keeps the flags of every command apart from its own."""

    examples: Sequence[str] = ()
    command_from: int | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if self.command_from is not None:
            args = self._with_dashes(args)
            ctx.meta[OUR_WORDS] = list(takewhile(lambda word: word != "--", args))
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[OPTIONS]", *(_usage(param) for param in self.params if param.param_type_name == "argument")]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        write_examples(self.examples, formatter)

    def _with_dashes(self, args: list[str]) -> list[str]:
        """``--`` before the first word of the command, so that what follows is never read as our own flag."""
        taking = {name for option in self.params if _takes_value(option) for name in option.opts}
        words, position = 0, 0
        while position < len(args) and (word := args[position]) != "--":
            if word.startswith("-") and word != "-":
                position += 1 + _takes_next(word, taking)
                continue
            if words == self.command_from:
                return [*args[:position], "--", *args[position:]]
            words, position = words + 1, position + 1
        return args


def as_typer_command(module: ModuleType, path: str) -> Any:
    """A command file: its docstring's first line is the summary, ``command`` the function, ``EXAMPLES`` the help's end.

    ``COMMAND_FROM = n``: the words after n arguments are another program's, and no flag of ours is looked for there.
    ``TELLS_EVENTS = True``: it takes ``--ndjson`` and ``--events``.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=Helpful, help=inspect.getdoc(module), name=path.rpartition(" ")[2])(
        _parsed(module.command, path, _EVENT_FLAGS if getattr(module, "TELLS_EVENTS", False) else {})
    )
    command = typer.main.get_command(app)
    command.examples = getattr(module, "EXAMPLES", ())  # type: ignore[attr-defined]
    command.command_from = getattr(module, "COMMAND_FROM", None)  # type: ignore[attr-defined]
    return command


def _parsed(function: Callable[..., Any], path: str, more: Mapping[str, tuple[Any, Any]]) -> Callable[..., Call]:
    """What Typer sees: the function's parameters after the switchboard, ``more``, and every command's flags."""

    def call(context: typer.Context, **values: Any) -> Call:
        values.pop("help")  # it has been answered while parsing
        flags = Flags(**{name: values.pop(name) for name in EXPOSED}).over(context.find_root().obj or Flags())
        manner = replace(flags.manner(), **{name: values.pop(name) for name in more})
        if manner.json and manner.ndjson:
            raise typer.BadParameter("--json is one object, --ndjson one a line: give one of them", ctx=context)
        for name, value in values.items():
            _must_be_utf8(name, value, context)
        return Call(path, function, values, flags, manner)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    wanted = [*(p.replace(kind=CONTEXT.kind) for p in own), *(_flag(name, *one) for name, one in more.items())]
    return with_signature(call, [CONTEXT, *wanted, *flag_parameters()])


def _must_be_utf8(name: str, value: Any, context: typer.Context) -> None:
    """Names and the like travel as text: what cannot is refused before a service is asked."""
    for word in (value if isinstance(value, list) else [value]) if name not in _ANY_BYTES else ():
        if isinstance(word, str) and any("\ud800" <= character <= "\udfff" for character in word):
            shown = repr(word.encode("utf-8", "surrogateescape"))[1:]
            raise typer.BadParameter(f"{shown} is not UTF-8", ctx=context)


def flag_parameters() -> list[inspect.Parameter]:
    return [_flag(field.name, field.type, field.default) for field in fields(Flags)]


def _flag(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def with_signature(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


def write_options(params: Sequence[Any], ctx: Any, formatter: Any) -> None:
    """Arguments, the command's own options, then the ones every command takes."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], _COMMON: []}
    for param in params:
        if param.param_type_name == "argument":
            sections["Arguments"].append((_usage(param), param.help or ""))
        elif (record := param.get_help_record(ctx)) is not None:
            sections[_COMMON if param.name in (*EXPOSED, "help") else "Options"].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def write_examples(examples: Sequence[str], formatter: Any) -> None:
    if examples:
        with formatter.section("Examples"):
            formatter.write("".join(f"  {example}\n" for example in examples))


def _usage(argument: Any) -> str:
    name: str = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _takes_next(word: str, taking: set[str]) -> bool:
    """Whether the word after this option is its value: ``--repo``, ``-e``, ``-qe``; not ``--repo=x``, ``-eA=1``."""
    if word.startswith("--"):
        return word in taking
    values = [position for position, letter in enumerate(word) if f"-{letter}" in taking]
    return bool(values) and values[0] == len(word) - 1


def _takes_value(option: Any) -> bool:
    return option.param_type_name == "option" and not option.is_flag and not option.count
