"""A network line that can be cut: a TCP forwarder between a gateway and its broker, or any client and server."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum

from runtime.logs import get_logger

_log = get_logger(__name__)

_READ_BYTES = 65536
_IN_FLIGHT = 64
"""Chunks under way in one direction; a reader that is faster waits, as TCP's window makes it."""

_CONNECT_TIMEOUT_S = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Cut(StrEnum):
    """How a line fails."""

    REFUSE = "refuse"  # connections break at once, new ones are refused
    BLACK_HOLE = "black_hole"  # connections stay, nothing passes; what was under way passes after the restoration


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Bytes under way; empty for an orderly end, ``None`` for a broken connection. ``due`` is the loop's time."""

    data: bytes | None
    due: float


class Line:
    """Forwards every connection to ``listen_port`` to ``target`` and back.

    The task that carries the connections begins in :meth:`start` and has ended when :meth:`stop` returns.

    Args:
        listen_port: port to listen on; 0 takes a free one, see :attr:`port`.
        target: host and port of the server.
        host: address to listen on.
        round_trip_s: time the line adds to a question and its answer, seconds.
    """

    def __init__(
        self, listen_port: int, target: tuple[str, int], *, host: str = "127.0.0.1", round_trip_s: float = 0.0
    ) -> None:
        self.port = listen_port
        self.target = target
        self.round_trip_s = round_trip_s
        self.carried_bytes = 0
        self._host = host
        self._server: asyncio.Server | None = None
        self._carrier: asyncio.Task[None] | None = None
        self._connections: asyncio.TaskGroup | None = None
        self._ended = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def name(self) -> str:
        """Name in logs."""
        return f"line {self.port} to {self.target[0]}:{self.target[1]}"

    @property
    def is_cut(self) -> bool:
        """Nothing passes."""
        return self._server is None or not self._flowing.is_set()

    async def start(self) -> None:
        """Begin to forward; returned means connections are taken.

        Raises:
            OSError: the port is taken.
        """
        await self._listen()
        ready = asyncio.Event()
        self._ended.clear()
        self._carrier = asyncio.create_task(self._carry_all(ready), name=self.name)
        await ready.wait()

    async def stop(self) -> None:
        """Stop listening, break all connections and end every task."""
        self._close()
        carrier, self._carrier = self._carrier, None
        self._ended.set()
        if carrier is not None:
            carrier.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await carrier
        self._flowing.set()

    async def cut(self, how: Cut = Cut.REFUSE) -> None:
        """Let the line fail."""
        _log.info("line cut", line=self.name, how=how.value)
        if how is Cut.BLACK_HOLE:
            self._flowing.clear()
            return
        self._close()

    async def restore(self) -> None:
        """Put the line right, however it was cut.

        Raises:
            OSError: somebody else took the port meanwhile.
        """
        self._flowing.set()
        if self._server is None:
            await self._listen()
        _log.info("line restored", line=self.name)

    async def _listen(self) -> None:
        # A plain function as callback: the connections' tasks are ours and not the server's.
        self._server = await asyncio.start_server(self._accept, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            _reset(writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections is None or self._server is None:
            _reset(writer)
            return
        self._writers.add(writer)
        self._connections.create_task(self._carry(reader, writer), name=f"{self.name} connection")

    async def _carry_all(self, ready: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as self._connections:
                ready.set()
                await self._ended.wait()
        finally:
            self._connections = None

    async def _carry(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        """Carry one connection until both sides ended it or either broke it."""
        try:
            await self._flowing.wait()
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                far_reader, far = await asyncio.open_connection(*self.target)
        except OSError as error:
            _log.debug("target not reached", line=self.name, error=str(error))
            self._writers.discard(near)
            _reset(near)
            return
        self._writers.add(far)
        try:
            async with asyncio.TaskGroup() as parts:
                for source, sink in ((reader, far), (far_reader, near)):
                    under_way: asyncio.Queue[_Chunk] = asyncio.Queue(_IN_FLIGHT)
                    parts.create_task(self._take(source, under_way))
                    parts.create_task(self._give(under_way, sink, (near, far)))
        finally:
            for writer in (near, far):
                self._writers.discard(writer)
                writer.close()

    async def _take(self, source: asyncio.StreamReader, under_way: asyncio.Queue[_Chunk]) -> None:
        """Read one direction to its end."""
        while True:
            try:
                data: bytes | None = await source.read(_READ_BYTES)
            except OSError:
                data = None
            await under_way.put(_Chunk(data, asyncio.get_running_loop().time() + self.round_trip_s / 2))
            if not data:
                return

    async def _give(
        self,
        under_way: asyncio.Queue[_Chunk],
        sink: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        """Write one direction to its end; after a break, read on into nothing so that the other part can end."""
        broken = False
        while True:
            chunk = await under_way.get()
            await asyncio.sleep(max(0.0, chunk.due - asyncio.get_running_loop().time()))
            await self._flowing.wait()
            if not broken:
                broken = not await self._write(chunk.data, sink)
            if broken:
                for writer in both:
                    _reset(writer)
            if not chunk.data:
                return

    async def _write(self, data: bytes | None, sink: asyncio.StreamWriter) -> bool:
        """Pass on a chunk, an end or a break; tell whether the connection still stands."""
        if data is None or sink.is_closing():
            return False
        try:
            if data:
                sink.write(data)
                await sink.drain()
                self.carried_bytes += len(data)
            else:
                sink.write_eof()
        except OSError:
            return False
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection so that the peer sees it at once."""
    if writer.is_closing():
        return
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
