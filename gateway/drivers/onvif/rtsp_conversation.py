"""One connection to an RTSP server: asks, answers challenges, counts the packets that come between."""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from contracts.errors import DeviceMisbehaved, DeviceUnreachable
from gateway.drivers.onvif.rtp import PacketCount
from gateway.drivers.onvif.rtsp_authorization import Challenge, authorization, choose
from gateway.drivers.onvif.rtsp_message import Answer, Packet, Receiver, write_request

DEFAULT_PORT: Final = 554

_READ_BYTES: Final = 65_536
_OTHER_ANSWERS_MOST: Final = 16
_UNAUTHORIZED: Final = 401
_CLOSE_S: Final = 1.0
_VIDEO_CHANNEL: Final = 0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user at the camera.

    Attributes:
        username: name.
        password: password; never logged.
        basic_allowed: whether the password may travel readable.
    """

    username: str
    password: str
    basic_allowed: bool = False


class Conversation:
    """A connection to an RTSP server. Use :meth:`open`, then as a context manager; one request at a time."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        credentials: Credentials | None,
        timeout_s: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._receiver = Receiver()
        self._waiting: list[Answer] = []
        self._cseq = 0
        self._challenge: Challenge | None = None
        self._nonce_uses = 0
        self.count: PacketCount | None = None
        self.sample = b""
        """The bytes last read, for a report on what broke the protocol."""

    @classmethod
    async def open(cls, url: str, credentials: Credentials | None, timeout_s: float) -> Self:
        """Connect to the server of a URL.

        Raises:
            DeviceUnreachable: no connection in time.
            ConnectionRefusedError: nobody listens there.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(host, port, limit=_READ_BYTES)
        except ConnectionRefusedError:
            raise
        except TimeoutError as error:
            raise DeviceUnreachable(
                f"rtsp {host}:{port}: no connection within {timeout_s:g} s; check the network"
            ) from error
        except OSError as error:
            raise DeviceUnreachable(f"rtsp {host}:{port}: {error}; check address and network") from error
        return cls(reader, writer, credentials, timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()

    async def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request and wait for its answer; a challenge is answered once, and once more where only the nonce was old.

        Raises:
            DeviceUnreachable: no answer in time.
            ConnectionError: the server closed the connection.
            DeviceMisbehaved: what came is no RTSP.
        """
        for _ in range(3):
            answer = await self._ask_once(method, url, headers or {})
            if answer.status != _UNAUTHORIZED or not self._can_answer(answer):
                break
        return answer

    def _can_answer(self, answer: Answer) -> bool:
        """Take up a challenge; false where it is none we can answer or the credentials were wrong."""
        if self._credentials is None:
            return False
        before, used = self._challenge, self._nonce_uses
        challenge = choose(answer.headers.get("www-authenticate", ()), basic_allowed=self._credentials.basic_allowed)
        if challenge is None:
            return False
        if before is not None:
            has_new_nonce = challenge.nonce != before.nonce
            worked_before = (
                used > 1
            )  # some servers give a new nonce for every request and do not call the old one stale
            if not (has_new_nonce and (challenge.is_stale or worked_before)):
                return False
        self._challenge, self._nonce_uses = challenge, 0
        return True

    async def _ask_once(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        self._cseq += 1
        given = dict(headers)
        if self._challenge is not None and self._credentials is not None:
            self._nonce_uses += 1
            given["Authorization"] = authorization(
                self._challenge,
                self._credentials.username,
                self._credentials.password,
                method,
                url,
                count=self._nonce_uses,
                client_nonce=secrets.token_hex(8),
            )
        self._writer.write(write_request(method, url, self._cseq, given))
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._writer.drain()
                return await self._answer()
        except TimeoutError as error:
            raise DeviceUnreachable(f"rtsp: no answer to {method} within {self._timeout_s:g} s") from error

    async def _answer(self) -> Answer:
        others = 0
        while True:
            while self._waiting:
                answer = self._waiting.pop(0)
                if answer.cseq in {None, self._cseq}:
                    return answer
                others += 1
                if others > _OTHER_ANSWERS_MOST:
                    raise DeviceMisbehaved(f"RTSP: {others} answers to other requests than {self._cseq}")
            await self._read()

    async def _read(self) -> None:
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self.sample = data[:4096]
        for item in self._receiver.feed(data):
            if isinstance(item, Packet):
                if self.count is not None and item.channel == _VIDEO_CHANNEL:
                    self.count.add(item.data)
            elif len(self._waiting) < _OTHER_ANSWERS_MOST:
                self._waiting.append(item)

    async def watch(self, seconds: float, bytes_most: int) -> float:
        """Read packets for a while into :attr:`count`; fewer seconds where so many bytes came or the server closed.

        Returns:
            Seconds watched.

        Raises:
            DeviceMisbehaved: what came is no RTSP.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while self.count is not None and self.count.bytes < bytes_most:
                    await self._read()
        return loop.time() - began_s
