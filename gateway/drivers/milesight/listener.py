"""HTTP server that sensors push to. Several sensors may share a port; the server lives as long as one of them is read."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from aiohttp import web
from structlog.contextvars import bound_contextvars, get_contextvars

from contracts.errors import DeviceMisbehaved, DeviceUnreachable
from gateway.drivers.milesight.receiver import Reception
from gateway.drivers.milesight.report import MOST_REPORT_BYTES, Report, parse_report
from gateway.drivers.milesight.settings import Settings
from runtime.logs import get_logger

_log = get_logger(__name__)

MOST_CONNECTIONS: Final = 128
"""A sensor has one connection a push; further ones are closed unread."""

_BODY_TIMEOUT_S: Final = 10.0
_IDLE_TIMEOUT_S: Final = 120.0
_CLOSE_TIMEOUT_S: Final = 1.0
_LINGER_S: Final = 0.0
_MOST_DISCARDED_BYTES: Final = 16 * MOST_REPORT_BYTES
"""Read and thrown away of a body that is too long, so that its sender can read the answer."""

_RETRY_AFTER_S: Final = "10"
_SAMPLE_BYTES: Final = 4096


class Endpoint(Protocol):
    """A sensor behind the server."""

    @property
    def settings(self) -> Settings:
        """Its path, credentials and ids."""
        ...

    def fits(self, report: Report) -> int:
        """How surely a push is this sensor's; 0: not at all."""
        ...

    async def take(self, report: Report) -> Reception:
        """Take a push; returned means it may be answered."""
        ...

    def refuse(self, raw: bytes, error: DeviceMisbehaved) -> None:
        """Count and keep an input that is none of its pushes."""
        ...


class _Closed(asyncio.Protocol):
    """What a connection beyond the bound meets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


class _Refusal(Exception):  # noqa: N818  (it is an answer, no error of ours)
    def __init__(self, status: int, sample: bytes, why: str) -> None:
        self.status = status
        self.sample = sample
        super().__init__(why)


class Listener:
    """One address that sensors push to."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._endpoints: list[Endpoint] = []
        self._ids: dict[Endpoint, dict[str, Any]] = {}
        self._server: asyncio.Server | None = None
        self._http: web.Server | None = None

    async def open(self) -> None:
        """Listen.

        Raises:
            DeviceUnreachable: the address cannot be listened on.
        """
        # A small body must not unpack to a large one, so nothing is unpacked.
        http = web.Server(
            self._answer,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_IDLE_TIMEOUT_S,
            lingering_time=_LINGER_S,
        )

        def connection() -> asyncio.BaseProtocol:
            return _Closed() if len(http.connections) >= MOST_CONNECTIONS else http()

        try:
            self._server = await asyncio.get_running_loop().create_server(connection, self._host, self._port)
        except OSError as error:
            raise DeviceUnreachable(
                f"cannot listen for people counters on {self._host}:{self._port}: {error.strerror or error}; free the port or "
                "change listen_host or listen_port"
            ) from error
        self._http = http

    async def close(self) -> None:
        """Stop to listen and end what is under way within a second."""
        server, self._server = self._server, None
        http, self._http = self._http, None
        if server is not None:
            server.close()
        if http is not None:
            http.pre_shutdown()
            await http.shutdown(_CLOSE_TIMEOUT_S)
        if server is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await server.wait_closed()

    def add(self, endpoint: Endpoint) -> None:
        """Serve one more sensor; what is logged of its pushes carries the ids that are bound here."""
        self._endpoints.append(endpoint)
        self._ids[endpoint] = get_contextvars()

    def remove(self, endpoint: Endpoint) -> bool:
        """Serve one less; whether any is left."""
        self._endpoints.remove(endpoint)
        self._ids.pop(endpoint, None)
        return bool(self._endpoints)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        here = [endpoint for endpoint in self._endpoints if endpoint.settings.path == request.path]
        if not here:
            return _response(404, "no sensor pushes here")
        if request.method not in {"POST", "PUT"}:
            return _response(405, "expected POST", Allow="POST, PUT")
        admitting = [endpoint for endpoint in here if _admits(endpoint.settings, request)]
        if not admitting:
            here[0].refuse(
                b"", DeviceMisbehaved(f"push on {request.path} without the right credentials; set them in the sensor")
            )
            return _response(401, "credentials", **{"WWW-Authenticate": 'Basic realm="people counters"'})
        try:
            body = await _read(request)
            report = _parse(body)
            best = _addressee(admitting, report, body)
        except _Refusal as refusal:
            admitting[0].refuse(refusal.sample, DeviceMisbehaved(str(refusal)))
            return _response(refusal.status, str(refusal))
        with bound_contextvars(**self._ids.get(best, {})):
            reception = await best.take(report)
        if reception is Reception.NOT_COMMITTED:
            return _response(503, "not stored, send it again", **{"Retry-After": _RETRY_AFTER_S})
        return web.json_response({"result": "ok"})


def _addressee(endpoints: list[Endpoint], report: Report, body: bytes) -> Endpoint:
    best = max(endpoints, key=lambda endpoint: endpoint.fits(report))
    if not best.fits(report):
        raise _Refusal(
            404,
            body[:_SAMPLE_BYTES],
            f"push of {report.serial[:64]!r}, no sensor of the settings; correct device_sn or the ids",
        )
    return best


def _parse(body: bytes) -> Report:
    try:
        return parse_report(body)
    except DeviceMisbehaved as error:
        raise _Refusal(400, body[:_SAMPLE_BYTES], str(error)) from error


async def _read(request: web.BaseRequest) -> bytes:
    """The body, bounded in size and time."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise _Refusal(
            415, encoding.encode()[:_SAMPLE_BYTES], f"push encoded as {encoding[:40]!r}, expected plain JSON"
        )
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                body += chunk[: MOST_REPORT_BYTES - len(body)]
                if size > _MOST_DISCARDED_BYTES:
                    break
    except TimeoutError as error:
        sample = bytes(body[:_SAMPLE_BYTES])
        why = f"push not complete within {_BODY_TIMEOUT_S:g} s; check the sensor's network"
        raise _Refusal(408, sample, why) from error
    if size > MOST_REPORT_BYTES:
        sample = bytes(body[:_SAMPLE_BYTES])
        raise _Refusal(413, sample, f"push of more than {MOST_REPORT_BYTES} bytes; check who sends it")
    return bytes(body)


def _admits(settings: Settings, request: web.BaseRequest) -> bool:
    """Whether a request has the credentials a sensor has to give; any of those that are set."""
    expected = []
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if settings.token is not None:
        token = settings.token.get_secret_value()
        expected.append(_same(token, request.query.get("token", "")))
        expected.append(scheme.lower() == "bearer" and _same(token, given.strip()))
    if settings.username is not None and settings.password is not None:
        pair = f"{settings.username}:{settings.password.get_secret_value()}"
        expected.append(scheme.lower() == "basic" and _same(pair, _decoded(given)))
    return any(expected) or not expected


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


def _response(status: int, text: str, **headers: str) -> web.Response:
    return web.json_response({"result": text}, status=status, headers=headers)


# -- sharing -----------------------------------------------------------------------------------------------------------


class _Open:
    """Listeners of one event loop, by address."""

    def __init__(self) -> None:
        self.listeners: dict[tuple[str, int], Listener] = {}
        self.turn = asyncio.Lock()  # whoever opens an address waits for whoever is closing it


_OPEN: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Open]] = WeakKeyDictionary()


@asynccontextmanager
async def listening(endpoint: Endpoint) -> AsyncIterator[Mapping[tuple[str, int], Listener]]:
    """Have a sensor's pushes served, by a listener that others may share, until the block ends.

    Raises:
        DeviceUnreachable: the address cannot be listened on.
    """
    opened = _OPEN.setdefault(asyncio.get_running_loop(), _Open())
    address = (endpoint.settings.listen_host, endpoint.settings.listen_port)
    async with opened.turn:
        listener = opened.listeners.get(address)
        if listener is None:
            listener = Listener(*address)
            await listener.open()
            opened.listeners[address] = listener
        listener.add(endpoint)
    try:
        yield opened.listeners
    finally:
        async with opened.turn:
            if not listener.remove(endpoint):
                del opened.listeners[address]
                await listener.close()
