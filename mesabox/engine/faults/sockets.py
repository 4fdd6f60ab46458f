"""Faults of the exec socket, but for those of its end (``endings``): cut, mute, forgetful of what it is sent."""

import asyncio
import json
import re
import time
from urllib.parse import parse_qsl, urlencode

from mesabox.engine.faults.aimed import Aimed
from mesabox.engine.faults.faults import Shot
from mesabox.engine.faults.habits import Habit, Holding
from mesabox.engine.gate import App, Message, Receive, Scope, Send
from mesabox.engine.transport import hang_up
from mesabox.wire.frames import Stream

_BINARY, _TEXT = 0x82, 0x81
_HEARTBEAT = '{"type":"debug"}'
_ROWS = 24
_AT_ONCE = 0.1
"""Seconds in which what was kept for one who attaches has come."""
_ESCAPES = re.compile(rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-z]")


class Cut(Habit):
    """Of the frame in which the last byte falls, heads count too, its part is sent; then the connection ends."""

    async def told(self, message: Message) -> None:
        if message["type"] != "websocket.send":
            return await self.pass_on(message)
        text = message.get("text")
        frame = _frame(_BINARY, message["bytes"]) if text is None else _frame(_TEXT, text.encode())
        left = int(self.shot.amount)
        self.shot.amount -= len(frame)
        if left >= len(frame) or not self.shot.fires():
            return await self.pass_on(message)
        await hang_up(self.scope, frame[: max(0, left)])
        raise ConnectionResetError


def _frame(opcode: int, payload: bytes) -> bytes:
    """As a server sends it (RFC 6455 §5.2): final, unmasked."""
    size = len(payload)
    if size < 126:
        return bytes([opcode, size]) + payload
    if size < 1 << 16:
        return bytes([opcode, 126]) + size.to_bytes(2, "big") + payload
    return bytes([opcode, 127]) + size.to_bytes(8, "big") + payload


class Pause(Habit):
    """The sprite goes to sleep, and with it every connection: this one, and those its programs have made (§4.4)."""

    def __init__(self, shot: Shot, aimed: Aimed, scope: Scope, send: Send) -> None:
        super().__init__(shot, aimed, scope, send)
        self._heard_at = time.monotonic()
        self._watch = asyncio.create_task(self._asleep())

    async def told(self, message: Message) -> None:
        if (message.get("text") or "") != _HEARTBEAT:
            self._heard_at = time.monotonic()
        await self.pass_on(message)

    def heard(self, message: Message) -> Message | None:
        self._heard_at = time.monotonic()
        return message

    async def _asleep(self) -> None:
        while (left := self._heard_at + self.shot.amount - time.monotonic()) > 0:  # noqa: ASYNC110 - what passes is time
            await asyncio.sleep(left)
        if self.shot.fires():
            self.aimed.world.drop(self.aimed.path.split("/")[3])
            await hang_up(self.scope)

    def over(self) -> None:
        self._watch.cancel()


class Hangs(Habit):
    """Its session is told of, and nothing more: not even that it is over."""

    async def told(self, message: Message) -> None:
        opening = "session_info" in (message.get("text") or "") or message["type"] != "websocket.send"
        if message["type"] == "websocket.close" and self.shot.fires():
            await self.wait()
        elif opening or not self.shot.fires():
            await self.pass_on(message)


class NoHeartbeat(Habit):
    async def control(self, message: Message, kind: str) -> None:
        if kind != "debug" or not self.shot.fires():
            await self.pass_on(message)


class NoSignalHeader(Habit):
    async def accepted(self, message: Message) -> None:
        if self.shot.fires():
            headers = [pair for pair in message["headers"] if pair[0] != b"x-sprite-capabilities"]
            message = {**message, "headers": headers}
        await self.pass_on(message)


class SignalsIgnored(Habit):
    def heard(self, message: Message) -> Message | None:
        return None if _is_signal(message.get("text")) and self.shot.fires() else message


def _is_signal(text: str | None) -> bool:
    try:
        control = json.loads(text or "null")
    except ValueError:
        return False
    return isinstance(control, dict) and control.get("type") == "signal"


class StdinLost(Habit):
    """A terminal's keystrokes as well."""

    def heard(self, message: Message) -> Message | None:
        data = message.get("bytes") or b""
        lost = data and (self.tty or data[0] == Stream.STDIN)
        return None if lost and self.shot.fires() else message


class StdinEofLost(Habit):
    def heard(self, message: Message) -> Message | None:
        lost = not self.tty and (message.get("bytes") or b"")[:1] == bytes([Stream.STDIN_EOF])
        return None if lost and self.shot.fires() else message


class ScreenScrollback(Holding):
    """The last lines, without escapes, over a cleared screen: bytes that no command ever wrote."""

    def patience(self) -> float:
        return _AT_ONCE

    def shown(self, held: list[Message]) -> list[Message]:
        if not held or not self.shot.fires():
            return held
        stream = b"" if self.tty else held[0]["bytes"][:1]
        data = b"".join(message["bytes"][len(stream) :] for message in held)
        lines = [line.rstrip() for line in _ESCAPES.sub(b"", data).replace(b"\r\n", b"\n").split(b"\n")]
        screen = b"\x1b[H\x1b[2J" + b"\r\n".join(lines[-_ROWS:])
        return [{"type": "websocket.send", "bytes": stream + screen}]


def env_replaced(shot: Shot, _: Aimed, app: App) -> App:
    """The command is run by ``env -i``, with the given variables alone."""

    async def replaced(scope: Scope, receive: Receive, send: Send) -> None:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in pairs if name == "env"]
        if given and shot.fires():
            argv = [value for name, value in pairs if name == "cmd"] or ["bash"]
            kept = [(name, value) for name, value in pairs if name not in ("cmd", "path", "env")]
            words = ["env", "-i", *given, *argv]
            query = urlencode([("cmd", word) for word in words] + kept)
            scope = {**scope, "query_string": query.encode()}
        await app(scope, receive, send)

    return replaced
