"""Exec frames: one WebSocket message is one frame (Sprites, exec protocol).

Without a TTY a binary message is ``[stream id][payload]``; with a TTY it is raw bytes. Text messages are JSON control.
Every published SDK agrees on the ids; the exit payload is one byte (sprites-go, @fly/sprites, sprites-py).
"""

from enum import IntEnum

MAX_PAYLOAD = 32 * 1024 - 1
"""Bytes of payload a sender puts in one frame; sprites-py refuses messages above 10 MiB."""


class Stream(IntEnum):
    STDIN = 0
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    STDIN_EOF = 4


STDIN_EOF_FRAME = bytes([Stream.STDIN_EOF])


def data_frame(stream: Stream, payload: bytes) -> bytes:
    return bytes([stream]) + payload


def exit_frame(code: int) -> bytes:
    """``code`` 0..255."""
    return bytes([Stream.EXIT, code & 0xFF])


def split_frame(message: bytes) -> tuple[int, bytes] | None:
    """(stream id, payload); None for the empty message, which carries nothing."""
    return (message[0], message[1:]) if message else None


def exit_code_of(payload: bytes) -> int:
    """An empty exit payload counts as 0, as in every SDK."""
    return payload[0] if payload else 0
