"""Messages of ``dc09_spt``, a panel we have not written. It sends no line number and counts in hexadecimal."""

import asyncio
import threading
from typing import Any

from dc09_spt.dc09_spt import dc09_spt

from contracts.devices import ALARM_PANEL
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.gateway.sia_dc09.test_driver import running


def panel(port: int, **numbers: int) -> Any:
    made = dc09_spt("1234", **numbers)
    made.set_path("main", "primary", "127.0.0.1", port, account="1234")
    return made


async def until_content(spt: Any) -> None:
    """Wait until the panel's queue is empty, which it is once every message has been acknowledged, and its thread has ended."""
    async with asyncio.timeout(20):
        while spt.notSent() or (spt.send is not None and spt.send.is_alive()):
            await asyncio.sleep(0.02)
    assert spt.isConnected()


async def test_a_foreign_panel_is_content_with_our_answers() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        spt = panel(port)
        spt.send_msg("ADM-CID", {"code": 130, "q": 1, "area": 1, "zone": 15})
        await until_content(spt)
        assert sink.last("zone15/alarm") == "burglary"
        spt.send_msg("ADM-CID", {"code": 130, "q": 3, "area": 1, "zone": 15})
        spt.send_msg("ADM-CID", {"code": 401, "q": 1, "area": 1, "user": 7})
        await until_content(spt)
    assert sink.all("panel/event") == ["ADM-CID 1130 01 015", "ADM-CID 3130 01 015", "ADM-CID 1401 01 007"]
    assert sink.last("zone15/alarm") == "restored"
    assert sink.last("area1/operation") == "1401 01 007 disarmed user 7"
    assert sink.refused == []


async def test_receiver_and_line_of_a_foreign_panel_are_understood() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        spt = panel(port, receiver=1, line=2)
        spt.send_msg("ADM-CID", {"code": 301, "q": 1})
        await until_content(spt)
    assert sink.last("panel/ac_power") == "loss"
    assert sink.last("panel/event") == "ADM-CID 1301 00 000"


async def test_a_dozen_messages_of_a_foreign_panel_are_taken_once_each_past_its_hexadecimal_numbers() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        spt = panel(port)
        for zone in range(1, 13):
            spt.send_msg("ADM-CID", {"code": 130, "q": 1, "area": 1, "zone": zone})
        await until_content(spt)
    assert sink.all("panel/event") == [f"ADM-CID 1130 01 {zone:03d}" for zone in range(1, 13)]
    assert sink.last("link/duplicates") in {None, 0}


async def test_supervision_of_a_foreign_panel_keeps_the_link_up() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        spt = panel(port)
        spt.start_poll(main=1, retry_delay=0.1)
        try:
            async with asyncio.timeout(10):
                while spt.state()["poll count"] < 2:
                    await asyncio.sleep(0.02)
        finally:
            await asyncio.to_thread(spt.stop_poll)
        assert sink.last("link/state") == "up"
    assert sink.last("panel/events") == 0
    assert not [thread for thread in threading.enumerate() if type(thread).__module__.startswith("dc09_spt")]


async def test_a_message_a_foreign_panel_repeats_is_acknowledged_again_and_counts_once() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        spt = panel(port)
        path = spt.tpaths["main"]["primary"]["path"]
        for _ in range(2):
            assert await asyncio.to_thread(spt.transfer_msg, 7, "ADM-CID", "#1234|1130 01 015]", path)
    assert sink.all("panel/event") == ["ADM-CID 1130 01 015"]
    assert sink.last("link/duplicates") == 1
