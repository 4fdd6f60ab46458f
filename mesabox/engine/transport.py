"""uvicorn, set up for long request lines: argv and environment travel there."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from mesabox.engine.gate import MOST_REQUEST_LINE, Scope

_MOST_HEADERS = 64 << 10
_MOST_MESSAGE = 128 << 20
"""Bytes of a WebSocket message: @fly/sprites sends as one what it is given as one."""
_STATUS = {400: b"400 Bad Request", 414: b"414 URI Too Long"}
_PATIENCE = 1.0
_TRANSPORT = "mesabox.transport"


class LongLines(H11Protocol):
    """Answers what it cannot read with a JSON body, 414 when it is too long, and lets the client finish speaking."""

    refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}  # in the scope's state, of an upgraded one too

    def data_received(self, data: bytes) -> None:
        if not self.refused:  # else the rest of what was too long: closing on it would take our answer back
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        too_long = len(self.conn.trailing_data[0]) >= MOST_REQUEST_LINE
        text = f"the request line is above {MOST_REQUEST_LINE} bytes" if too_long else "invalid HTTP request"
        self.refused = True
        self.transport.write(_refusal(414 if too_long else 400, text))
        self.transport.write_eof()
        self.loop.call_later(_PATIENCE, self.transport.close)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """A body beside an upgrade would be waited for in vain: it has been read with the head."""
        lengths = [value for name, value in event.headers if name in (b"content-length", b"transfer-encoding")]
        if any(value != b"0" for value in lengths):
            return self.send_400_response("an upgrade has no body")
        super().handle_websocket_upgrade(event)


class Upgraded(WebSocketsSansIOProtocol):
    """Refuses a handshake that cannot be read, where the original waits, and knows that a refusal completes one."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:  # its head comes whole, so that no more will come
            self.transport.write(_refusal(400, "invalid WebSocket handshake"))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self.conn.send_close(1007)  # the original writes a trace to the log, too
            return self.handle_parser_exception()
        super().send_receive_event_to_app()

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        if self.handshake_complete and self.transport.is_closing():
            raise ClientDisconnected  # asyncio would write a line about every piece that is still on its way
        await super().send(message)  # type: ignore[arg-type]
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True


async def hang_up(scope: Scope, last: bytes = b"") -> None:
    """End the connection after these bytes, and whatever was sent before: no close frame, no end of the answer."""
    transport: asyncio.Transport = scope["state"][_TRANSPORT]
    if not transport.is_closing():
        transport.write(last)
        transport.close()
    await asyncio.sleep(0)  # until uvicorn knows of it, which would take offence at an answer that does not come
    await asyncio.sleep(0)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refusal(status: int, text: str) -> bytes:
    body = json.dumps({"error": text}).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    return head % (_STATUS[status], len(body)) + body


def configuration(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=LongLines,
        ws=Upgraded,
        h11_max_incomplete_event_size=MOST_REQUEST_LINE + _MOST_HEADERS,
        ws_max_size=_MOST_MESSAGE,
        ws_ping_interval=None,  # sprites-go never answers a ping
        ws_per_message_deflate=False,
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
