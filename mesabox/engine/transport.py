"""uvicorn, set up for long request lines: argv and environment travel there."""

import json
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_REQUEST_LINE = 1 << 20
"""Bytes of a request line and its headers together."""


class LongLines(H11Protocol):
    """Answers a head above the limit with 414 and a JSON body instead of uvicorn's plain 400."""

    def send_400_response(self, msg: str) -> None:
        too_long = len(self.conn.trailing_data[0]) >= MOST_REQUEST_LINE
        status = b"414 URI Too Long" if too_long else b"400 Bad Request"
        text = f"the request line is above {MOST_REQUEST_LINE} bytes" if too_long else "invalid HTTP request"
        body = json.dumps({"error": text}).encode()
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % (status, len(body)) + body)
        self.transport.close()


def configuration(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=LongLines,
        ws="websockets-sansio",
        h11_max_incomplete_event_size=MOST_REQUEST_LINE,
        ws_max_size=16 << 20,
        ws_ping_interval=None,  # sprites-go never answers a ping
        ws_per_message_deflate=False,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
