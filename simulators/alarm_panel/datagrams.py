"""A panel's UDP socket to its receiver: one frame a datagram, replies in datagrams."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from runtime.logs import get_logger
from simulators.alarm_panel.frames import Reply, ReplyError, ReplySplitter

_log = get_logger(__name__)

_WAITING = 32
"""Replies held; the oldest go first, as with a socket's own buffer."""


class Datagrams(asyncio.DatagramProtocol):
    """A connected UDP socket; a :class:`~simulators.alarm_panel.path.Link`.

    Args:
        receiver: host and port.
        read: reads one reply, may raise :class:`~simulators.alarm_panel.frames.ReplyError`.
    """

    def __init__(self, receiver: tuple[str, int], read: Callable[[bytes], Reply]) -> None:
        self._receiver = receiver
        self._read = read
        self._transport: asyncio.DatagramTransport | None = None
        self._replies: deque[Reply] = deque(maxlen=_WAITING)
        self._failure: OSError | None = None
        self._news = asyncio.Event()

    def __str__(self) -> str:
        return f"{self._receiver[0]}:{self._receiver[1]} (UDP)"

    async def open(self) -> None:
        """Make the socket, unless there is one.

        Raises:
            OSError: the address cannot be used.
        """
        if self._transport is not None:
            return
        loop = asyncio.get_running_loop()
        self._failure = None
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=self._receiver)

    def abort(self) -> None:
        """Close the socket; whoever waits for a reply gets a ``ConnectionAbortedError``."""
        transport, self._transport = self._transport, None
        self._replies.clear()
        self._news.set()
        if transport is not None:
            transport.abort()

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send each frame as a datagram.

        Raises:
            OSError: the socket is closed.
        """
        if self._transport is None:
            raise ConnectionAbortedError(f"{self}: closed")
        for frame in frames:
            self._transport.sendto(frame)

    async def reply(self) -> Reply:
        """Wait for the next readable reply; the caller sets the time-out.

        Raises:
            OSError: the socket was closed, or nobody listens there.
        """
        while not self._replies:
            if self._transport is None:
                raise ConnectionAbortedError(f"{self}: closed")
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            await self._news.wait()
        return self._replies.popleft()

    def datagram_received(self, data: bytes, addr: tuple[str | bytes, int]) -> None:  # noqa: ARG002
        """Take what came; only the receiver's datagrams come through a connected socket."""
        for raw in ReplySplitter().feed(data):
            try:
                self._replies.append(self._read(raw))
            except ReplyError as error:
                _log.warning("unreadable reply", receiver=str(self), error=str(error))
        self._news.set()

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there."""
        self._failure = exc if isinstance(exc, OSError) else ConnectionError(str(exc))
        self._news.set()
