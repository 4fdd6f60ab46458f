"""A request as the switches see it, and the shape of what wraps one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mesabox.engine.faults.faults import Shot
from mesabox.engine.gate import App, Receive, Scope, Send, refuse

Service = Literal["mesa", "sprites"]

_EXEC = re.compile(r"/v1/sprites/[^/]+/exec(/[^/]+)?")
_AGENT = re.compile(r"/v1/sprites/[^/]+/(exec|fs/.+|checkpoints?)(/.*)?")
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


class World(Protocol):
    """What the switches need to know, and can do, of the engine."""

    def sprites(self) -> int:
        """How many there are."""
        ...

    def drop(self, sprite: str) -> None:
        """Cut the connections that the sprite has made."""
        ...


@dataclass(frozen=True, slots=True)
class Aimed:
    scope: Scope
    service: Service
    world: World

    @property
    def method(self) -> str:
        """``WS`` for a socket, as in the log."""
        return "WS" if self.is_socket else str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["raw_path"].decode("latin-1"))

    @property
    def about(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_socket(self) -> bool:
        return bool(self.scope["type"] == "websocket")

    @property
    def is_exec(self) -> bool:
        """A socket of a command, new or attached to."""
        return self.is_socket and self.service == "sprites" and _EXEC.fullmatch(self.path) is not None

    @property
    def attaches(self) -> bool:
        return self.is_exec and ("/exec/" in self.path or b"&id=" in b"&" + self.scope["query_string"])

    @property
    def asks_agent(self) -> bool:
        """Of what answers inside a sprite."""
        return self.service == "sprites" and _AGENT.fullmatch(self.path) is not None

    @property
    def changes(self) -> bool:
        """Whether something may be different after it: a command has been started by its socket."""
        return self.method in _CHANGES or (self.is_exec and not self.attaches)

    def is_for(self, method: str, pattern: str) -> bool:
        """pattern: of the path after ``/v1/sprites``, or of Mesa's after ``/mesa/v1``."""
        prefix = "/v1/sprites" if self.service == "sprites" else "/mesa/v1"
        return self.method == method and re.fullmatch(prefix + pattern, self.path) is not None

    def refusal(
        self,
        status: int,
        text: str,
        *,
        code: str = "",
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> App:
        """What answers so, in the service's own shape, before anything is done. code: Mesa's word for it."""
        body: dict[str, Any] = {"error": {"code": code, "message": text}} if self.service == "mesa" else {"error": text}

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await refuse(scope, receive, send, status, {**body, **(more or {})}, headers)

        return answer


Wrap = Callable[[Shot, Aimed, App], App]
"""(what hits, the request, what it would go to) -> where it goes instead."""
