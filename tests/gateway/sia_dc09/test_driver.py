import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.devices import ALARM_PANEL, ATM
from contracts.errors import ConfigurationError, DeviceUnreachable
from gateway.driver import Observation
from gateway.drivers.sia_dc09 import Settings, create
from gateway.drivers.sia_dc09.frame import seal
from gateway.drivers.sia_dc09.listening_post import MOST_CONNECTIONS
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.sia_dc09.recording_sink import RecordingSink

NULL = seal(b'"NULL"0008L0#1234[]')


def alarm(number: int) -> bytes:
    return seal(f'"ADM-CID"{number:04d}L0#1234[#1234|1130 01 {number % 1000:03d}]'.encode())


@asynccontextmanager
async def running(sink: RecordingSink, **chosen: object) -> AsyncIterator[int]:
    """A driver that listens; gives its port."""
    made = Settings.model_validate({"listen_port": free_port(), "account": "1234", **chosen})
    driver = create(made, ALARM_PANEL, SystemClock())
    task = asyncio.create_task(driver.run(sink))
    try:
        async with asyncio.timeout(5):
            while sink.last("link/state") is None:
                assert not task.done(), task
                await asyncio.sleep(0.01)
        yield made.listen_port
    finally:
        assert not task.done(), task
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_listening(port: int) -> None:
    async with asyncio.timeout(5):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.01)


async def until_seen(sink: RecordingSink, path: str, value: float | str) -> None:
    async with asyncio.timeout(5):
        while sink.last(path) != value:
            await asyncio.sleep(0.01)


async def reply(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readuntil(b"\r")


async def test_several_frames_in_one_write_and_one_in_several_are_each_answered() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(alarm(1) + NULL + alarm(2))
        assert [(await reply(reader))[9:18] for _ in range(3)] == [b'"ACK"0001', b'"ACK"0008', b'"ACK"0002']
        for byte in alarm(3):
            writer.write(bytes([byte]))
            await writer.drain()
        assert b'"ACK"0003' in await reply(reader)
        writer.close()
        await writer.wait_closed()
    assert sink.all("panel/event") == ["ADM-CID 1130 01 001", "ADM-CID 1130 01 002", "ADM-CID 1130 01 003"]


async def test_a_panel_that_connects_for_each_message_gets_its_answer_before_the_end() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        for number in range(1, 6):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(alarm(number))
            writer.write_eof()
            async with asyncio.timeout(5):
                answer = await reader.read()
            assert f'"ACK"{number:04d}'.encode() in answer
            writer.close()
            await writer.wait_closed()
    assert sink.last("panel/events") == 5
    assert sink.last("link/reconnects") == 0


async def test_nothing_reaches_the_panel_while_the_sink_fails() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sink.is_full = True
        writer.write(alarm(1) + NULL)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read(1)
        assert sink.last("panel/event") is None
        sink.is_full = False
        writer.write(alarm(1))
        assert b'"ACK"0001' in await reply(reader)
        writer.close()
        await writer.wait_closed()
    assert sink.all("panel/event") == ["ADM-CID 1130 01 001"]


async def test_the_answer_waits_for_the_commit() -> None:
    committed = asyncio.Event()

    class SlowSink(RecordingSink):
        async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
            if any(seen.path == "panel/event" for seen in observations):
                await committed.wait()
            await super().observe(observations, keep)

    async with running(SlowSink(ALARM_PANEL)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(alarm(1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read(1)
        committed.set()
        assert b'"ACK"0001' in await reply(reader)
        writer.close()
        await writer.wait_closed()


async def test_silence_takes_the_link_down_and_a_message_brings_it_up() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, supervision_s=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(NULL)
        await reply(reader)
        assert sink.last("link/state") == "up"
        await until_seen(sink, "link/state", "down")
        writer.write(NULL)
        await reply(reader)
        assert (sink.last("link/state"), sink.last("link/reconnects")) == ("up", 1)
        writer.close()
        await writer.wait_closed()


async def test_an_idle_connection_is_closed() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, idle_timeout_s=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(NULL[:5])
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert "ended inside a frame" in str(sink.refused[-1][1])


async def test_a_peer_with_nothing_but_flaws_is_hung_up_on() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\nflaw\r" * 5000)
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    assert len(sink.refused) in {16, 17}  # and perhaps the frame that the end cut off


async def test_a_new_connection_replaces_the_oldest() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS + 1)]
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                assert await opened[0][0].read() == b""
        opened[-1][1].write(NULL)
        assert b'"ACK"0008' in await reply(opened[-1][0])
        for _, writer in opened:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def test_a_port_in_use_says_what_to_do() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken:
        port = taken.getsockname()[1]
        driver = create(Settings(listen_port=port, account="1234"), ALARM_PANEL, SystemClock())
        with pytest.raises(DeviceUnreachable, match="free the port or change listen_host or listen_port"):
            await driver.run(RecordingSink(ALARM_PANEL))


async def test_the_driver_can_run_again_and_remembers() -> None:
    port = free_port()
    driver = create(Settings(listen_port=port, account="1234"), ALARM_PANEL, SystemClock())
    sink = RecordingSink(ALARM_PANEL)
    for expected in (1, 2):
        task = asyncio.create_task(driver.run(sink))
        await until_listening(port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(alarm(expected))
        await reply(reader)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        assert sink.last("panel/events") == expected


def test_the_driver_is_for_alarm_panels() -> None:
    with pytest.raises(ConfigurationError, match="alarm_panel, not atm"):
        create(Settings(listen_port=1, account="1234"), ATM, SystemClock())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=4))
async def test_after_any_noise_the_next_connection_is_served(noise: list[bytes]) -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            for chunk in noise:
                writer.write(chunk)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(alarm(1))
        assert b'"ACK"0001' in await reply(reader)
        writer.close()
        await writer.wait_closed()
