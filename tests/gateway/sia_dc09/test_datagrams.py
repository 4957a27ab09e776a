import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.devices import ALARM_PANEL
from contracts.errors import DeviceUnreachable
from gateway.driver import Observation
from gateway.drivers.sia_dc09 import Settings, create
from gateway.drivers.sia_dc09.panel_inbox import MOST_WAITING
from runtime.clock import SystemClock
from tests.gateway.sia_dc09.datagram_panel import DatagramPanel, datagram_panel
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.gateway.sia_dc09.test_driver import NULL, alarm, reply, running


async def test_a_datagram_is_committed_then_acknowledged() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port, datagram_panel(port) as panel:
        assert b'"ACK"0001L0#1234[]' in await panel.ask(alarm(1))
        assert sink.last("zone1/alarm") == "burglary"
        assert b'"ACK"0008' in await panel.ask(NULL)
        assert sink.last("link/state") == "up"


async def test_several_frames_of_one_datagram_are_each_answered() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port, datagram_panel(port) as panel:
        panel.send(alarm(1) + b"\r\n" + alarm(2) + NULL)
        assert [(await panel.reply())[9:18] for _ in range(3)] == [b'"ACK"0001', b'"ACK"0002', b'"ACK"0008']


async def test_no_datagram_is_answered_while_the_sink_fails() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port, datagram_panel(port) as panel:
        sink.is_full = True
        panel.send(alarm(1))
        async with asyncio.timeout(5):
            while not sink.turned_away:
                await asyncio.sleep(0.01)
        assert panel.is_left_alone
        sink.is_full = False
        assert b'"ACK"0001' in await panel.ask(alarm(1))
    assert sink.all("panel/event") == ["ADM-CID 1130 01 001"]


async def test_a_panel_that_sends_both_ways_is_one_panel() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="both") as port, datagram_panel(port) as panel:
        await panel.ask(alarm(1))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(alarm(1) + alarm(2))
        assert b'"ACK"0001' in await reply(reader)
        assert b'"ACK"0002' in await reply(reader)
        writer.close()
        await writer.wait_closed()
    assert sink.all("panel/event") == ["ADM-CID 1130 01 001", "ADM-CID 1130 01 002"]
    assert sink.last("link/duplicates") == 1


async def test_half_a_frame_and_noise_are_refused_and_counted() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port, datagram_panel(port) as panel:
        for datagram in (alarm(1)[:20], b"noise", b"\n" + b"A" * 3000 + b"\r", b"", alarm(1)[:-2] + b"!\r"):
            panel.send(datagram)
        await panel.ask(NULL)
        assert panel.is_left_alone
    assert sink.last("link/protocol_errors") == 4
    assert len(sink.refused) == 4


async def test_a_flood_is_dropped_beyond_what_may_wait_and_the_panel_is_served_again() -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    class SlowSink(RecordingSink):
        async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
            if any(seen.path == "panel/event" for seen in observations):
                begun.set()
                await goes_on.wait()
            await super().observe(observations, keep)

    sink = SlowSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port, datagram_panel(port) as panel:
        panel.send(alarm(1))
        async with asyncio.timeout(5):
            await begun.wait()
        for number in range(2, 502):
            panel.send(alarm(number))
            if number % 20 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)  # lets the flood arrive; whether all of it did does not matter
        goes_on.set()
        assert b'"ACK"0600' in await panel_until(panel, alarm(600), b"0600")
    assert 2 <= len(sink.all("panel/event")) <= MOST_WAITING + 3


async def panel_until(panel: DatagramPanel, frame: bytes, sequence: bytes) -> bytes:
    """Ask until the reply of that number comes; those to the flood come first."""
    async with asyncio.timeout(10):
        answer = await panel.ask(frame)
        while sequence not in answer:
            answer = await panel.reply()
    return answer


async def test_a_port_in_use_says_what_to_do_and_leaves_nothing_open() -> None:
    async with running(RecordingSink(ALARM_PANEL), transport="udp") as port:
        other = create(
            Settings(listen_port=port, account="1235", listen_host="0.0.0.0", transport="both"),
            ALARM_PANEL,
            SystemClock(),
        )
        with pytest.raises(DeviceUnreachable, match=r"udp 0\.0\.0\.0.*free the port"):
            await other.run(RecordingSink(ALARM_PANEL))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_the_driver_can_run_again_at_once() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port:
        pass
    driver = create(Settings(listen_port=port, account="1234", transport="udp"), ALARM_PANEL, SystemClock())
    for number in (1, 2, 3):
        task = asyncio.create_task(driver.run(sink))
        async with datagram_panel(port) as panel:
            await panel.ask(alarm(number))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert sink.last("panel/events") == 3


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.lists(st.binary(max_size=5000), min_size=1, max_size=6))
async def test_after_any_noise_the_next_datagram_is_served(noise: list[bytes]) -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port, datagram_panel(port) as panel:
        for datagram in noise:
            panel.send(datagram)
        assert b'"ACK"0001' in await panel.ask(alarm(1))
