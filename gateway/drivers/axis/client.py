"""Asks a sensor over HTTP."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientMiddlewareType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DigestAuthMiddleware,
    DummyCookieJar,
    encode_basic_auth,
)
from yarl import URL

from contracts.errors import DeviceError, DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from gateway.drivers.axis.history import MOST_HISTORY_BYTES
from gateway.drivers.axis.live_sum import MOST_ANSWER_BYTES
from gateway.drivers.axis.settings import Settings

PATHS: Final = ("/local/tvpc/.api", "/local/people-counter/.api")
"""Where the interface is in newer and in older firmware."""

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_OK: Final = 200
_SERVER_ERRORS_FROM: Final = 500

_BASIC = re.compile(r"\bbasic\b", re.IGNORECASE)
_DIGEST = re.compile(r"\bdigest\b", re.IGNORECASE)


class OversizedAnswer(DeviceMisbehaved):
    """The answer is longer than any sound one; ``sample`` holds its beginning."""

    def __init__(self, message: str, sample: bytes) -> None:
        self.sample = sample
        super().__init__(message)


class HttpStatusError(DeviceUnreachable):
    """The sensor answers with an HTTP error: it is there, but it does not serve."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and the time it took."""

    body: bytes
    round_trip_s: float


class AxisClient:
    """One sensor's HTTP session. Use as a context manager; one request at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        scheme = "https" if settings.tls else "http"
        self._root = URL.build(scheme=scheme, host=settings.host, port=settings.port)
        self._path: str | None = None
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        middlewares: tuple[ClientMiddlewareType, ...] = ()
        if settings.username is not None and settings.password is not None:
            password = settings.password.get_secret_value()
            middlewares = (
                DigestAuthMiddleware(settings.username, password),
                _basic_where_asked(settings.username, password),
            )
        self._session = ClientSession(
            timeout=ClientTimeout(total=settings.timeout_s),
            middlewares=middlewares,
            auto_decompress=False,  # a small answer must not unpack to a large one
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            cookie_jar=DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, query: str) -> Answer:
        """Ask the interface, wherever the firmware has it.

        Raises:
            DeviceUnreachable: no connection, no answer in time, or an HTTP error.
            DeviceRefused: credentials or permissions are wrong, or the sensor has no such interface.
            OversizedAnswer: the answer is far too long.
        """
        for path in (self._path,) if self._path is not None else PATHS:
            answer = await self._get(path, query, MOST_ANSWER_BYTES)
            if answer is not None:
                self._path = path
                return answer
        self._path = None  # after a change of firmware the other place may be right
        raise DeviceRefused(
            f"{self._root} answers 404 to {query} at {' and '.join(PATHS)}; check that it is an Axis People Counter and that "
            "the application runs"
        )

    async def ask_history(self, query: str) -> Answer | None:
        """Ask where :meth:`ask` was answered; ``None`` where this firmware has no such question.

        Raises:
            DeviceUnreachable: no connection, no answer in time, or an HTTP error.
            DeviceRefused: this user may not ask it.
            OversizedAnswer: the answer is far too long.
        """
        try:
            return await self._get(self._path or PATHS[0], query, MOST_HISTORY_BYTES)
        except HttpStatusError as error:
            if error.status < _SERVER_ERRORS_FROM:
                return None
            raise

    async def _get(self, path: str, query: str, most_bytes: int) -> Answer | None:
        """Ask at one place; ``None`` where it is not there."""
        url = URL(f"{self._root}{path}?{query}", encoded=True)
        began_s = time.monotonic()
        async with self._translated(url), self._opened().get(url, allow_redirects=False) as response:
            if response.status == _NOT_FOUND:
                return None
            if response.status in {_UNAUTHORIZED, _FORBIDDEN}:
                raise DeviceRefused(
                    f"{url} answers {response.status}; give the username and password of a user that may view the counter"
                )
            if response.status != _OK:
                raise HttpStatusError(
                    f"{url} answers {response.status}, expected 200; look at the sensor's log", response.status
                )
            body = await _read(response, most_bytes)
        return Answer(body, time.monotonic() - began_s)

    def _opened(self) -> ClientSession:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        return self._session

    @asynccontextmanager
    async def _translated(self, url: URL) -> AsyncIterator[None]:
        try:
            yield
        except DeviceError:
            raise
        except TimeoutError as error:
            raise DeviceUnreachable(f"{url}: no answer within {self._settings.timeout_s:g} s") from error
        except (ClientError, OSError, ValueError) as error:
            raise DeviceUnreachable(
                f"{url}: {str(error) or type(error).__name__}; check address and network"
            ) from error


async def _read(response: ClientResponse, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            raise OversizedAnswer(
                f"{response.url}: answer of more than {most_bytes} bytes; check that it is an Axis People Counter",
                bytes(body[:MOST_ANSWER_BYTES]),
            )
    return bytes(body)


def _basic_where_asked(username: str, password: str) -> ClientMiddlewareType:
    """Answer a challenge that offers Basic and not Digest; the password is never sent unasked."""
    authorization = encode_basic_auth(username, password, "utf-8")

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        offers = ", ".join(response.headers.getall("WWW-Authenticate", []))
        asked = response.status == _UNAUTHORIZED and _BASIC.search(offers) and not _DIGEST.search(offers)
        if not asked or "Authorization" in request.headers:
            return response
        response.release()
        request.headers["Authorization"] = authorization
        return await handler(request)

    return middleware
