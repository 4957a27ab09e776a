"""A line between a real client and a real server: carries, is cut, comes back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from simulators.line import Cut, Line
from tests.conftest import free_port


class EchoServer:
    """Sends back what it gets; counts connections."""

    def __init__(self) -> None:
        self.port = free_port()
        self.connections = 0
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for _ in range(self.connections):
            await asyncio.wait_for(self.ended.get(), 5)
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        how = "end"
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            how = "break"
        writer.close()
        self.ended.put_nowait(how)


@pytest.fixture
async def server() -> AsyncIterator[EchoServer]:
    echo = EchoServer()
    await echo.start()
    yield echo
    await echo.stop()


@contextlib.asynccontextmanager
async def line_to(server: EchoServer, round_trip_s: float = 0.0) -> AsyncIterator[Line]:
    line = Line(0, ("127.0.0.1", server.port), round_trip_s=round_trip_s)
    await line.start()
    try:
        yield line
    finally:
        await line.stop()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, within_s: float = 5) -> bytes:
    writer.write(data)
    await writer.drain()
    return await asyncio.wait_for(reader.readexactly(len(data)), within_s)


async def test_bytes_pass_both_ways_and_an_end_is_passed_on(server: EchoServer) -> None:
    async with line_to(server) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        big = bytes(range(256)) * 8192
        assert await ask(reader, writer, big) == big
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert line.carried_bytes == 2 * len(big)
        writer.close()


async def test_a_cut_breaks_connections_at_once_and_refuses_new_ones(server: EchoServer) -> None:
    async with line_to(server) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        assert await ask(reader, writer, b"before") == b"before"
        await line.cut()
        assert line.is_cut
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)
        assert await asyncio.wait_for(server.ended.get(), 5) == "break"
        server.connections -= 1
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", line.port)
        writer.close()


async def test_a_restored_line_takes_connections_on_the_same_port(server: EchoServer) -> None:
    async with line_to(server) as line:
        port = line.port
        for _ in range(3):
            await line.cut()
            await line.restore()
            assert not line.is_cut
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await ask(reader, writer, b"again") == b"again"
            writer.close()


async def test_a_black_hole_swallows_silently_and_gives_back_after_the_restoration(server: EchoServer) -> None:
    async with line_to(server) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        assert await ask(reader, writer, b"before") == b"before"
        await line.cut(Cut.BLACK_HOLE)
        with pytest.raises(TimeoutError):
            await ask(reader, writer, b"during", within_s=0.2)
        late_reader, late_writer = await asyncio.open_connection("127.0.0.1", line.port)
        with pytest.raises(TimeoutError):
            await ask(late_reader, late_writer, b"new", within_s=0.1)
        assert server.connections == 1
        await line.restore()
        assert await asyncio.wait_for(reader.readexactly(6), 5) == b"during"
        assert await asyncio.wait_for(late_reader.readexactly(3), 5) == b"new"
        writer.close()
        late_writer.close()


async def test_a_slow_line_delays_by_its_round_trip_and_does_not_add_up(server: EchoServer) -> None:
    async with line_to(server, round_trip_s=0.1) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        began = time.monotonic()
        for _ in range(10):
            writer.write(b"ping")
            await asyncio.sleep(0.005)
        await asyncio.wait_for(reader.readexactly(40), 5)
        took_s = time.monotonic() - began
        assert 0.1 <= took_s < 0.5
        writer.close()


async def test_without_a_server_behind_it_a_connection_is_broken() -> None:
    line = Line(0, ("127.0.0.1", free_port()))
    await line.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(1), 5) == b""
    writer.close()
    await line.stop()


@pytest.mark.parametrize("how", list(Cut))
async def test_a_stop_ends_everything_even_while_the_line_is_cut(server: EchoServer, how: Cut) -> None:
    async with line_to(server) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        assert await ask(reader, writer, b"before") == b"before"
        await line.cut(how)
        if how is Cut.BLACK_HOLE:
            writer.write(b"x" * 100_000)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", line.port)
    writer.close()


async def test_a_port_that_is_taken_is_said(server: EchoServer) -> None:
    line = Line(server.port, ("127.0.0.1", server.port))
    with pytest.raises(OSError, match="address already in use"):
        await line.start()
