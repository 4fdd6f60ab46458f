"""What a new config.toml holds: every setting with its meaning and default, commented out."""

import json
from typing import Any

from pydantic import BaseModel

from mesabox.config.settings import Settings


def starter() -> str:
    head = "# mesabox's settings. Flags, the environment and a project's mesabox.toml go before this file.\n\n"
    tables = {name: f for name, f in Settings.model_fields.items() if _is_table(f.annotation)}
    top = "".join(_line(name, f) for name, f in Settings.model_fields.items() if name not in tables)
    return head + top + "".join(f"\n[{name}]\n" + _table(f.annotation) for name, f in tables.items())


def _table(model: Any) -> str:
    return "".join(_line(name, field) for name, field in model.model_fields.items())


def _line(name: str, field: Any) -> str:
    value = '"…"' if field.default is None else json.dumps(field.default)
    return f"# {field.description}\n# {name} = {value}\n"


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
