"""The network policy of a sprite: kept in the store, obeyed by the network room."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mesabox.engine.sprites.answers import Json
from mesabox.engine.sprites.bodies import json_object
from mesabox.engine.sprites.machines import Machines
from mesabox.engine.sprites.problems import Invalid


class PolicyRoutes:
    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def show(self, request: Request) -> Response:
        record = self._machines.record(request.path_params["name"])
        return Json({"rules": self._machines.store.policy(record.id, "network") or []})

    async def replace(self, request: Request) -> Response:
        """204: the published clients take nothing else."""
        record = self._machines.record(request.path_params["name"])
        rules = _rules(await json_object(request))
        self._machines.store.set_policy(record.id, "network", rules)
        await self._machines.apply_policy(record)
        return Response(status_code=204)


def _rules(body: dict[str, Any]) -> list[dict[str, str]]:
    rules = body.get("rules")
    if not isinstance(rules, list):
        raise Invalid("rules is required and must be an array")
    return [_rule(rule) for rule in rules]


def _rule(rule: Any) -> dict[str, str]:
    if isinstance(rule, dict) and isinstance(rule.get("include"), str):
        return {"include": rule["include"]}
    if isinstance(rule, dict) and isinstance(rule.get("domain"), str) and rule.get("action") in ("allow", "deny"):
        return {"domain": rule["domain"].lower(), "action": rule["action"]}
    raise Invalid('each rule is {"domain": "example.com", "action": "allow" or "deny"}')
