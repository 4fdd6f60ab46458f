"""What a GitHub Actions step leaves behind: outputs for the steps after it, and tables in its summary."""

import html
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesabox.flow.redaction import Redactor
from mesabox.ui.envelope import envelope
from mesabox.ui.github import command
from mesabox.ui.progress import seconds_text
from mesabox.ui.result import Result
from mesabox.ui.streams import Streams

_MOST_FILES = 100


def publish(streams: Streams, name: str, result: Result, redactor: Redactor) -> None:
    """The step's outputs, and a table in its summary."""
    assert streams.github is not None
    told = redactor.value(json.loads(envelope(name, result, runs_a_command=True)))
    data = told["data"] if isinstance(told["data"], dict) else {}
    outputs = {
        "run_id": data.get("run_id"),
        "exit_code": told["exit_code"],
        "change_id": (data.get("changes") or {}).get("change_id"),
    }
    _append(streams, streams.github.output, "".join(_output(key, value) for key, value in outputs.items()))
    _append(streams, streams.github.summary, _summary(name, told, data))


def _append(streams: Streams, path: str | None, text: str) -> None:
    if path:
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as failure:
            streams.stderr.talk(command("warning", f"{path}: {failure.strerror}", title="mesabox cannot write"))


def _output(name: str, value: object) -> str:
    """The delimiter cannot be guessed, so that no value ends itself and sets another."""
    fence = f"mesabox_{secrets.token_hex(16)}"
    return f"{name}<<{fence}\n{'' if value is None else value}\n{fence}\n"


def _summary(name: str, told: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    changes, error = data.get("changes") or {}, told["error"] or {}
    facts = {
        "exit code": told["exit_code"],
        "failed by": told.get("failed_by"),
        "error": error.get("title"),
        "run": data.get("run_id"),
        "repo": data.get("repo"),
        "bookmark": data.get("bookmark"),
        "sprite": data.get("sprite"),
        "change": changes.get("change_id"),
        "lines": f"+{changes['additions']} -{changes['deletions']}" if changes.get("additions") is not None else None,
    }
    text = f"### mesabox {name}: {'ok' if told['status'] == 'ok' else 'failed'}\n\n"
    text += _table(("", ""), [(key, value) for key, value in facts.items() if value not in (None, "")])
    if isinstance(took := data.get("seconds"), dict):
        text += _table(("phase", "time"), [(phase, seconds_text(seconds)) for phase, seconds in took.items()])
    if files := changes.get("files"):
        text += _table(("file", ""), [(file["path"], file["status"]) for file in files[:_MOST_FILES]])
    return text


def _table(columns: tuple[str, str], rows: Sequence[tuple[Any, Any]]) -> str:
    lines = [columns, ("---", "---"), *((_cell(one), _cell(two)) for one, two in rows)]
    return "".join(f"| {one} | {two} |\n" for one, two in lines) + "\n"


def _cell(value: object) -> str:
    """Shown as it is: neither Markdown, HTML nor another cell."""
    return f"<code>{html.escape(' '.join(str(value).split())).replace('|', '&#124;')}</code>"
