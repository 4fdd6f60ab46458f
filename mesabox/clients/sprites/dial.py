"""Opening an exec WebSocket: its address, its limits, and what a refused handshake means."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from mesabox import __version__
from mesabox.clients.refusals import as_error, read_refusal
from mesabox.clients.transport import CONNECT_SECONDS, LOOK, OF_AN_EDGE, READ_SECONDS, Transport, pause_after
from mesabox.errors import MesaboxError, OutcomeUnknown, TryLater

_LARGEST_MESSAGE = 16 * 1024 * 1024
_PING_SECONDS = 15.0
_NOTHING_DONE = (429, 503)
_BROKEN = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""Of a connection that there was: the request may have arrived."""


async def dial(http: Transport, path: str, query: str, subject: str) -> ClientConnection:
    """Tries again, like any other request, when it was refused before anything was done.

    Raises our errors only; none of them shows the query, where the command and its environment are.
    """
    token = http.credential.token()
    for attempt in count(1):
        try:
            return await _dial_once(http.base_url, path, query, token)
        except InvalidStatus as refused:
            error = _refused(http.service, refused, token, subject)
            pause = pause_after(attempt, error) if refused.response.status_code in _NOTHING_DONE else None
            if refused.response.status_code in OF_AN_EDGE:
                raise OutcomeUnknown(error.what, why=error.why, fix=LOOK) from None
            if pause is None:
                raise error from None
            await http.pause(pause)
        except (InvalidHandshake, TimeoutError, EOFError, *_BROKEN) as failure:
            why = f"the WebSocket handshake failed: {type(failure).__name__}"
            raise OutcomeUnknown(f"{http.service} did not open {subject}", why=why) from None
        except OSError as failure:
            raise _unreachable(http.service, http.base_url, failure) from None
    raise AssertionError("the last attempt returns or raises")


async def _dial_once(base_url: str, path: str, query: str, token: str) -> ClientConnection:
    return await connect(
        f"ws{base_url.removeprefix('http')}{path}" + (f"?{query}" if query else ""),
        additional_headers={"Authorization": f"Bearer {token}"},
        user_agent_header=f"mesabox/{__version__}",
        compression=None,
        open_timeout=CONNECT_SECONDS + READ_SECONDS,
        ping_interval=_PING_SECONDS,
        ping_timeout=None,  # see SpriteExecution._receive
        close_timeout=0,
        max_size=_LARGEST_MESSAGE,
        **_channel(base_url),
    )


def _refused(service: str, refused: InvalidStatus, token: str, subject: str) -> MesaboxError:
    response = refused.response
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.raw_items()}
    body = (response.body or b"").replace(token.encode(), b"***")
    return as_error(read_refusal(service, response.status_code, headers, bytes(body)), subject)


def _unreachable(service: str, base_url: str, failure: OSError) -> MesaboxError:
    host = base_url.partition("://")[2]
    why = failure.strerror or type(failure).__name__
    return TryLater(f"cannot reach {service} at {host}", why=why, fix="mesabox doctor", code="unreachable")


def _channel(base_url: str) -> dict[str, Any]:
    """The engine on this machine is reached directly, whatever proxy is set."""
    return {"proxy": None} if base_url.startswith("http://") else {}
