"""One TCP connection from a panel to its receiver: frames out, replies in."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from runtime.logs import get_logger
from simulators.alarm_panel.frames import Reply, ReplyError, ReplySplitter

_log = get_logger(__name__)

_READ_BYTES = 4096

_PIECES = 3
_PIECE_PAUSE_S = 0.005
"""Between the pieces of a frame, so that each is a segment of its own."""


class Connection:
    """A connection that is made when it is needed and kept until it breaks; a :class:`~simulators.alarm_panel.path.Link`.

    Args:
        receiver: host and port.
        connect_timeout_s: longest wait for the connection, seconds.
        read: reads one reply, may raise :class:`~simulators.alarm_panel.frames.ReplyError`.
        in_pieces: whether each frame goes out in several segments.
    """

    def __init__(
        self,
        receiver: tuple[str, int],
        connect_timeout_s: float,
        read: Callable[[bytes], Reply],
        *,
        in_pieces: bool = False,
    ) -> None:
        self._receiver = receiver
        self._connect_timeout_s = connect_timeout_s
        self._read = read
        self._in_pieces = in_pieces
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._splitter = ReplySplitter()
        self._replies: deque[Reply] = deque()

    def __str__(self) -> str:
        return f"{self._receiver[0]}:{self._receiver[1]}"

    async def open(self) -> None:
        """Connect, unless connected.

        Raises:
            OSError: the receiver cannot be reached, or not within the time.
        """
        if self._stream is not None:
            return
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                self._stream = await asyncio.open_connection(*self._receiver)
        except TimeoutError as error:
            raise ConnectionError(f"{self}: no connection within {self._connect_timeout_s:g} s") from error

    def abort(self) -> None:
        """Break the connection, without a word; whoever waits for a reply gets a ``ConnectionResetError``."""
        stream, self._stream = self._stream, None
        self._splitter = ReplySplitter()
        self._replies.clear()
        if stream is not None:
            stream[1].transport.abort()

    async def send(self, frames: Sequence[bytes]) -> None:
        """Hand frames to the network, all at once.

        Raises:
            OSError: not connected, or the connection broke.
        """
        for piece in self._cut(b"".join(frames)):
            _, writer = self._open_stream()
            writer.write(piece)
            await writer.drain()
            if self._in_pieces:
                await asyncio.sleep(_PIECE_PAUSE_S)

    async def reply(self) -> Reply:
        """Wait for the next readable reply; the caller sets the time-out.

        Raises:
            OSError: not connected, or the connection broke or was closed.
        """
        while not self._replies:
            reader, _ = self._open_stream()
            data = await reader.read(_READ_BYTES)
            if not data:
                raise ConnectionResetError(f"{self} closed the connection")
            for raw in self._splitter.feed(data):
                try:
                    self._replies.append(self._read(raw))
                except ReplyError as error:
                    _log.warning("unreadable reply", receiver=str(self), error=str(error))
        return self._replies.popleft()

    def _cut(self, data: bytes) -> list[bytes]:
        if not self._in_pieces:
            return [data]
        width = -(-len(data) // _PIECES)
        return [data[start : start + width] for start in range(0, len(data), width)]

    def _open_stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._stream is None:
            raise ConnectionAbortedError(f"{self}: not connected")
        return self._stream
