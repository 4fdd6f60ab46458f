"""One request to a service: its credential, its limits, its retries; what went wrong comes out as our error."""

import asyncio
import random
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Protocol
from urllib.parse import urlsplit

# httpx imports its own command line, and with it rich and click (70 ms), and does without when that cannot be had.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpx  # noqa: E402

from mesabox import __version__  # noqa: E402
from mesabox.clients.refusals import as_error, read_refusal  # noqa: E402
from mesabox.errors import MesaboxError, OutcomeUnknown, ServiceError, TryLater  # noqa: E402

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""A sleeping sprite answers its first request only when it is awake: up to 12 s have been seen."""

_ATTEMPTS = 4
_FIRST_PAUSE = 0.25
LONGEST_PAUSE = 20.0
"""A service that asks for more than this is reported instead of waited for."""

_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "DELETE"})
_WORTH_REPEATING = frozenset({429, 502, 503, 504})
OF_AN_EDGE = frozenset({502, 504})
"""Behind which what was asked for may have been done."""
LOOK = "look whether it was done before trying again"
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Credential(Protocol):
    """What signs a request."""

    def token(self) -> str: ...


class Transport:
    """A service's HTTP side. ``service`` is its name in errors; base_url carries no credential.

    A request whose repetition could do something twice is sent once, unless it cannot have arrived.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        credential: Credential,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        """trace: is told of each request and its answer, without its query."""
        self.service = service
        self.base_url = base_url.rstrip("/")
        self.credential = credential
        self.pause = pause
        self._trace = trace
        self._client = httpx.AsyncClient(
            headers={"User-Agent": f"mesabox/{__version__}"},
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            transport=transport,
            **_channel(self.base_url),
        )

    async def json(self, method: str, path: str, *, subject: str, **options: Any) -> Any:
        """The decoded body; None when there is none."""
        response = await self.send(method, path, subject=subject, **options)
        try:
            return response.json() if response.content else None
        except ValueError:
            raise self.misunderstood(subject) from None

    async def send(
        self, method: str, path: str, *, subject: str, repeatable: bool | None = None, **options: Any
    ) -> httpx.Response:
        """subject: what it is about ("repo 'x'"), for errors. path: percent-encoded. options: as httpx takes them."""
        again = method in _SAFE_TO_REPEAT if repeatable is None else repeatable
        response = await self._answer(method, path, again, subject, options, whole=True)
        await response.aclose()
        return response

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, subject: str, repeatable: bool | None = None, **options: Any
    ) -> AsyncIterator[httpx.Response]:
        """A successful response whose body has not been read yet."""
        again = method in _SAFE_TO_REPEAT if repeatable is None else repeatable
        response = await self._answer(method, path, again, subject, options)
        try:
            yield response
        except httpx.TransportError as failure:
            raise self._unreachable(failure, again) from None
        finally:
            await response.aclose()

    def misunderstood(self, subject: str) -> MesaboxError:
        """For an answer without what its documentation promises."""
        return ServiceError(f"{self.service} sent an answer for {subject} that we cannot read", code="bad_reply")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _answer(
        self, method: str, path: str, again: bool, subject: str, options: Mapping[str, Any], *, whole: bool = False
    ) -> httpx.Response:
        """A success. whole: its body is read, and one that breaks off is no answer."""
        for attempt in count(1):
            try:
                response = await self._once(method, path, options)
                if whole and response.is_success:
                    await _read(response)
            except httpx.TransportError as failure:
                pause = pause_after(attempt)
                if pause is None or not (again or isinstance(failure, _NEVER_ARRIVED)):
                    raise self._unreachable(failure, again) from None
                await self.pause(pause)
                continue
            if response.is_success or (attempt > 1 and method == "DELETE" and response.status_code == 404):
                return response
            error = await self._refusal(response, subject)
            pause = pause_after(attempt, error) if response.status_code in _WORTH_REPEATING else None
            if response.status_code in OF_AN_EDGE and not again:
                raise OutcomeUnknown(error.what, why=error.why, fix=LOOK)
            if pause is None or not (again or response.status_code == 429):
                raise error
            await self.pause(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.credential.token()}", **options.get("headers", {})}
        rest = {name: value for name, value in options.items() if name != "headers"}
        request = self._client.build_request(method, self.base_url + path, headers=headers, **rest)
        begun = time.monotonic()
        response = await self._client.send(request, stream=True)
        if self._trace is not None:
            took = (time.monotonic() - begun) * 1000
            self._trace(f"{self.service}: {method} {path} {response.status_code} in {took:.0f} ms")
        return response

    async def _refusal(self, response: httpx.Response, subject: str) -> MesaboxError:
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        sent = response.request.headers["Authorization"].removeprefix("Bearer ")  # a service may quote what it was sent
        body = body.replace(sent.encode(), b"***")
        return as_error(read_refusal(self.service, response.status_code, response.headers, body), subject)

    def _unreachable(self, failure: httpx.TransportError, again: bool) -> MesaboxError:
        """Could not talk: nothing was decided, unless the request may have arrived and cannot be repeated."""
        host = urlsplit(self.base_url).netloc
        why = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
        if again or isinstance(failure, _NEVER_ARRIVED):
            return TryLater(f"cannot reach {self.service} at {host}", why=why, fix="mesabox doctor", code="unreachable")
        return OutcomeUnknown(
            f"the connection to {self.service} at {host} ended before it answered",
            why=why,
            fix=LOOK,
        )


async def _read(response: httpx.Response) -> None:
    try:
        await response.aread()
    except BaseException:
        await response.aclose()
        raise


def pause_after(attempt: int, error: MesaboxError | None = None) -> float | None:
    """Seconds until it is worth another try, None when it is not. error: the answer to the attempt, if there was one.

    Full jitter: many clients that failed together do not come back together.
    """
    asked = error.after if isinstance(error, TryLater) else None
    pause = random.uniform(0, _FIRST_PAUSE * 2**attempt) if asked is None else asked
    return pause if attempt < _ATTEMPTS and pause <= LONGEST_PAUSE else None


def _channel(base_url: str) -> dict[str, Any]:
    """How it is connected. The engine on this machine is reached directly, whatever proxy is set, and without TLS:
    an empty context saves reading the CA bundle, and would refuse every certificate.
    """
    if base_url.startswith("http://"):
        return {"trust_env": False, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    return {}
