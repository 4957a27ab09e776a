"""One WebSocket to one XFS4IoT service: commands and their completions, events in between.

There is no task behind a connection. Whoever waits, for a completion or for the next event, reads frames and hands events on
as they come; so a slow consumer holds back the device's TCP stream and no queue can grow.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from contracts.errors import DeviceError, DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from gateway.drivers.xfs4iot.envelope import (
    OLD_MAJOR,
    Command,
    Message,
    MessageType,
    build_command,
    major_of,
    parse_message,
)
from gateway.drivers.xfs4iot.settings import Settings

Handler = Callable[[Message], Awaitable[None]]
"""Takes an event; it must not send a command on the same connection."""

Refuse = Callable[[str | bytes, DeviceError], None]
"""Keeps a frame that broke the protocol."""

_CLOSE_TIMEOUT_S: Final = 1.0
_SHOWN_CHARS: Final = 200
_CLOSED: Final = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED})
_UNKNOWN_ADDRESS: Final = frozenset({400, 404})
_UNREADABLE_FORMS: Final = frozenset({"invalidcommand", "unsupportedcommand", "invaliddata"})


class NoReply(DeviceUnreachable):
    """The connection stands, but a command was not completed in time."""


class FormNotUnderstood(DeviceRefused):
    """The peer could not read the command; it may speak another message major."""


class Connection:
    """An open connection. Not for use by two tasks at once.

    Args:
        socket: the WebSocket.
        url: its address, for messages.
        settings: timeouts.
        handle: takes unsolicited and solicited events in the order they came.
        refuse: takes frames that broke the protocol.
    """

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, url: str, settings: Settings, handle: Handler, refuse: Refuse
    ) -> None:
        self._socket = socket
        self._url = url
        self._settings = settings
        self._handle = handle
        self._refuse = refuse
        self._last_id = 0
        self._patience: asyncio.Timeout | None = None
        self.major = 2
        """Message major in which commands are written; 1 once the peer was heard to answer in it."""
        self.versions: Mapping[str, str] = {}
        """Version in which each command is sent; the major's lowest where not listed."""

    async def request(self, command: Command, payload: Mapping[str, Any] | None = None) -> Message:
        """Send a command and wait for its completion; events that come meanwhile are handled.

        Raises:
            NoReply: no completion in time.
            DeviceUnreachable: the connection ended.
            DeviceRefused: the service said no.
            FormNotUnderstood: it could not read the command.
        """
        self._last_id += 1
        version = None if self.major == OLD_MAJOR else self.versions.get(command)
        frame = build_command(
            command,
            self._last_id,
            timeout_ms=int(self._settings.reply_timeout_s * 1000),
            major=major_of(version) or self.major,
            version=version,
            payload=payload,
        )
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.reply_timeout_s
        try:
            async with asyncio.timeout(self._settings.reply_timeout_s):
                await self._socket.send_str(frame.text)
        except (aiohttp.ClientError, OSError) as error:
            raise DeviceUnreachable(f"{self._url}: {command} could not be sent: {_why(error)}") from error
        while (left_s := deadline - loop.time()) > 0:
            message = await self._receive(left_s)
            if message is not None and await self._is_completion(message, frame.request_id, command):
                return message
        raise NoReply(f"{self._url}: {command} was not completed within {self._settings.reply_timeout_s:g} s")

    async def listen(self, timeout_s: float) -> None:
        """Wait for one frame, at most ``timeout_s``, and handle it.

        Raises:
            DeviceUnreachable: the connection ended.
        """
        message = await self._receive(timeout_s)
        if message is not None:
            await self._is_completion(message, 0, None)

    def wake(self) -> None:
        """End a wait in :meth:`listen` now; for another task that gave this one something to do."""
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())

    async def _is_completion(self, message: Message, request_id: int, command: Command | None) -> bool:
        """Deal with a message; returns whether it completes the command that is waited for."""
        if message.type in {MessageType.EVENT, MessageType.UNSOLICITED}:
            await self._handle(message)
            return False
        if message.is_old and not self.versions:  # some frameworks send old events beside new answers
            self.major = OLD_MAJOR
        if message.request_id != request_id or command is None:
            if message.request_id is None or message.request_id > self._last_id:
                self._refuse(message.raw, DeviceMisbehaved(f"{message.name}: nobody sent request {message.request_id}"))
            return False  # an answer to a command that was given up
        if message.name.lower() != command.lower():
            self._refuse(message.raw, DeviceMisbehaved(f"request {request_id}: expected {command}, got {message.name}"))
            return False
        if message.type is MessageType.ACKNOWLEDGE:
            if message.status.lower() != "ok":
                kind = FormNotUnderstood if message.status.lower() == "invalidmessage" else DeviceRefused
                raise kind(f"{self._url}: {command} was not accepted: {message.status} {message.error}".rstrip())
            return False
        code = message.completion_code
        if code.lower() != "success":
            kind = FormNotUnderstood if code.lower() in _UNREADABLE_FORMS else DeviceRefused
            raise kind(f"{self._url}: {command} failed: {code} {message.error}".rstrip())
        return True

    async def _receive(self, timeout_s: float) -> Message | None:
        """Next frame; ``None`` where none came in time or it was refused."""
        try:
            async with asyncio.timeout(timeout_s) as self._patience:
                received = await self._socket.receive()
        except TimeoutError:
            return None
        except (aiohttp.ClientError, OSError) as error:
            raise DeviceUnreachable(f"{self._url}: {_why(error)}") from error
        finally:
            self._patience = None
        if received.type is aiohttp.WSMsgType.TEXT:
            try:
                return parse_message(received.data)
            except DeviceMisbehaved as error:
                self._refuse(received.data, error)
                return None
        if received.type is aiohttp.WSMsgType.BINARY:
            self._refuse(received.data, DeviceMisbehaved("expected a text frame, got a binary one"))
            return None
        if received.type is aiohttp.WSMsgType.ERROR:
            if isinstance(received.data, aiohttp.WebSocketError):
                self._refuse(str(received.data), DeviceMisbehaved(f"frame cannot be read: {received.data}"))
            raise DeviceUnreachable(f"{self._url}: connection ended: {_why(received.data)}")
        if received.type in _CLOSED:
            raise DeviceUnreachable(f"{self._url}: connection closed by the machine, code {self._socket.close_code}")
        return None


@asynccontextmanager
async def connect(
    http: aiohttp.ClientSession, url: str, settings: Settings, handle: Handler, refuse: Refuse
) -> AsyncIterator[Connection]:
    """Open a connection and close it at the end, within bounds.

    Some machines know their addresses only with a slash at the end, others only without; both are tried.

    Raises:
        DeviceUnreachable: nobody there, not a WebSocket, or no answer in time.
    """
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            try:
                socket = await _open(http, url, settings)
            except aiohttp.WSServerHandshakeError as error:
                if error.status not in _UNKNOWN_ADDRESS:
                    raise
                socket = await _open(http, url.removesuffix("/") if url.endswith("/") else f"{url}/", settings)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DeviceUnreachable(f"{url}: {_why(error)}") from error
    try:
        yield Connection(socket, url, settings, handle, refuse)
    finally:
        await socket.close()


async def _open(http: aiohttp.ClientSession, url: str, settings: Settings) -> aiohttp.ClientWebSocketResponse:
    return await http.ws_connect(
        url,
        heartbeat=settings.heartbeat_s,
        max_msg_size=settings.frame_most_bytes,
        timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
    )


def open_session(tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """A session for all connections to one machine: it keeps nothing and goes nowhere else, whatever the machine says."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls), cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[trace]
    )


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: object, redirect: aiohttp.TraceRequestRedirectParams
) -> None:
    location = redirect.response.headers.get("Location", "")
    raise aiohttp.ClientPayloadError(f"expected a WebSocket, got a redirect to {location[:_SHOWN_CHARS]!r}")


def _why(error: object) -> str:
    return (str(error) or type(error).__name__)[:_SHOWN_CHARS]
