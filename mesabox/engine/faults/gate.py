"""Where requests meet the switches: one ordered list, the first outermost. Without a fault nothing is looked at."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mesabox.engine.faults import answers, endings, requests, sockets
from mesabox.engine.faults.aimed import Aimed, Service, World, Wrap
from mesabox.engine.faults.faults import Faults
from mesabox.engine.faults.habits import habit
from mesabox.engine.gate import App, Receive, Scope, Send
from mesabox.engine.transport import hang_up


@dataclass(frozen=True, slots=True)
class _Place:
    """applies: whether the switch can hit such a request; only then is it drawn."""

    name: str
    applies: Callable[[Aimed], bool]
    wrap: Wrap


def _any(_: Aimed) -> bool:
    return True


def _sprites(aimed: Aimed) -> bool:
    return aimed.service == "sprites"


def _mesa(aimed: Aimed) -> bool:
    return aimed.service == "mesa"


def _exec(aimed: Aimed) -> bool:
    return aimed.is_exec


def _new_exec(aimed: Aimed) -> bool:
    return aimed.is_exec and not aimed.attaches


def _attach(aimed: Aimed) -> bool:
    return aimed.attaches


def _of(method: str, pattern: str, service: Service = "sprites") -> Callable[[Aimed], bool]:
    return lambda aimed: aimed.service == service and aimed.is_for(method, pattern)


def _one_sprite(aimed: Aimed) -> bool:
    return _sprites(aimed) and (aimed.is_for("GET", "/[^/]+") or aimed.is_for("DELETE", "/[^/]+"))


_REQUESTS = (
    _Place("latency", _any, requests.latency),
    _Place("hang", _any, requests.hang),
    _Place("url-limit", _sprites, requests.url_limit),
    _Place("sprites-401", _sprites, requests.sprites_401),
    _Place("mesa-401", _mesa, requests.mesa_401),
    _Place("rate-limit", _any, requests.rate_limit),
    _Place("unavailable", _any, requests.unavailable),
    _Place("sprite-limit", _of("POST", ""), requests.sprite_limit),
    _Place("no-minting", _of("POST", "/[^/]+/api-keys", "mesa"), requests.no_minting),
    _Place("sprite-not-ready", lambda aimed: aimed.asks_agent, requests.sprite_not_ready),
    _Place("lost-answer", lambda aimed: aimed.changes, requests.lost_answer),
    _Place("lost-answer-502", lambda aimed: aimed.changes, requests.lost_answer_502),
)
_ANSWERS = (
    _Place("cut-answer", lambda aimed: not aimed.is_socket, answers.cut_answer),
    _Place("missing-sprite-500", _one_sprite, answers.rewritten(answers.missing_sprite_500)),
    _Place("has-more", _of("GET", ""), answers.rewritten(answers.has_more)),
    _Place("bare-list", _of("GET", ""), answers.rewritten(answers.bare_list)),
    _Place("is-active-wrong", _of("GET", "/[^/]+/exec"), answers.rewritten(answers.is_active_wrong)),
    _Place("sessions-vanish", _of("POST", "/[^/]+/exec/[^/]+/kill"), answers.rewritten(answers.sessions_vanish)),
    _Place(
        "missing-checkpoint-500",
        _of("GET", "/[^/]+/checkpoints/[^/]+"),
        answers.rewritten(answers.missing_checkpoint_500),
    ),
    _Place("checkpoint-fails", _of("POST", "/[^/]+/checkpoint"), answers.checkpoint_fails),
    _Place("restore-hangs", _of("POST", "/[^/]+/checkpoints/[^/]+/restore"), answers.restore_hangs),
    _Place("restore-no-end", _of("POST", "/[^/]+/checkpoints/[^/]+/restore"), answers.restore_no_end),
    _Place("read-not-ready", _of("GET", "/[^/]+/fs/read"), answers.read_not_ready),
    _Place("disk-full", _of("PUT", "/[^/]+/fs/write"), answers.disk_full),
)
_SOCKETS = (
    _Place("cut", _exec, habit(sockets.Cut)),
    _Place("pause", _exec, habit(sockets.Pause)),
    _Place("exec-hangs", _exec, habit(sockets.Hangs)),
    _Place("no-heartbeat", _exec, habit(sockets.NoHeartbeat)),
    _Place("no-signal-header", _exec, habit(sockets.NoSignalHeader)),
    _Place("signals-ignored", _exec, habit(sockets.SignalsIgnored)),
    _Place("stdin-lost", _exec, habit(sockets.StdinLost)),
    _Place("stdin-eof-lost", _exec, habit(sockets.StdinEofLost)),
    _Place("env-replaced", _new_exec, sockets.env_replaced),
    _Place("screen-scrollback", _attach, habit(sockets.ScreenScrollback)),
    _Place("tty-dropped", _exec, habit(endings.TtyDropped)),
    _Place("slow-close", _exec, habit(endings.SlowClose)),
    _Place("no-exit", _exec, habit(endings.NoExit)),
    _Place("close-1011", _exec, habit(endings.Close1011)),
    _Place("lost-output", _new_exec, habit(endings.LostOutput)),
    _Place("late-frames", _exec, habit(endings.LateFrames)),
    _Place("output-after-exit", _exec, habit(endings.OutputAfterExit)),
    _Place("json-exit", _exec, habit(endings.JsonExit)),
    _Place("json-exit-only", _exec, habit(endings.JsonExitOnly)),
    _Place("json-exit-early", _exec, habit(endings.JsonExitEarly)),
    _Place("exit-late", _exec, habit(endings.ExitLate)),
    _Place("exit-never", _exec, habit(endings.ExitNever)),
    _Place("wrong-exit", _exec, habit(endings.WrongExit)),
)
PLACES = (*_REQUESTS, *_ANSWERS, *_SOCKETS)


class FaultGate:
    """Before a service's routes."""

    def __init__(self, app: App, faults: Faults, service: Service, world: World) -> None:
        self._app = app
        self._faults = faults
        self._service: Service = service
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._faults or scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        aimed = Aimed(scope, self._service, self._world)
        app = self._app
        for place in reversed(PLACES):
            if place.applies(aimed) and (shot := self._faults.aim(place.name, aimed.about)):
                app = place.wrap(shot, aimed, app)
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:  # the engine stops while a fault keeps somebody waiting
            await hang_up(scope)
