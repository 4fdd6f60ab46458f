"""What a run would do, said without doing it or asking anybody."""

import shlex
from typing import Any

from mesabox.flow.go import KEY_NAME
from mesabox.flow.plan import Plan
from mesabox.switchboard import Switchboard
from mesabox.ui.result import Result, Table


def planned(board: Switchboard, plan: Plan) -> Result:
    choice = board.choice()
    steps = list(_steps(plan))
    facts = {**plan.facts(), "env": sorted(plan.command.env), "engine": choice.name}
    data = {"dry_run": True, "plan": {**facts, "key_lifetime": plan.key_lifetime}, "steps": _as_data(steps)}
    return Result(
        data=data,
        view=[Table(("step", "what"), steps, empty="")],
        quiet=[name for name, _ in steps],
        notes=[f"engine: {choice.name} ({choice.why})", "nothing was made or asked: leave out --dry-run to do it"],
    )


def _as_data(steps: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"step": name, "what": what} for name, what in steps]


def _steps(plan: Plan) -> list[tuple[str, str]]:
    command = plan.command
    at = f"at bookmark {plan.bookmark}" if plan.bookmark else "at its default bookmark"
    limit = "without a limit" if command.timeout is None else f"for {command.timeout:g} s at most"
    steps: list[tuple[str, Any]] = [
        ("repo", f"{plan.repo} {at}; made if it is not there"),
        ("key", f"{KEY_NAME}, read and write, for {plan.repo} alone, ends after {plan.key_lifetime:g} s"),
        ("sprite", f"{plan.sprite}; made if it is not there" if plan.sprite else "a new one, named after the run"),
        ("mesa", "installed in the sprite if it is missing; FUSE made usable"),
        ("mount", f"{plan.repo} in the sprite"),
        ("seed", _seeding(plan)),
        ("run", f"{shlex.join(command.argv) or 'a shell'} {limit}"),
        ("collect", "what changed, shown and kept in the record"),
        ("teardown", _teardown(plan)),
        ("apply", f"the changes, to {plan.source.folder}" if plan.source and plan.apply else ""),
    ]
    return [(name, what) for name, what in steps if what]


def _seeding(plan: Plan) -> str:
    return f"{len(plan.source.files)} files of {plan.source.folder} ({plan.source.size} bytes)" if plan.source else ""


def _teardown(plan: Plan) -> str:
    sprite = "the sprite stays if it was there before" if plan.sprite else "the sprite is destroyed"
    kept = {"never": sprite, "always": "the sprite is kept", "on-failure": f"{sprite}, kept if the run fails"}
    return f"the key is revoked, {kept[plan.keep]}; the repo stays"
