"""Messages of ``dc09_spt``, a panel we have not written. It sends no line number and counts in hexadecimal."""

import asyncio
import threading
from typing import Any

import pytest
from dc09_spt.dc09_spt import dc09_spt

from contracts.devices import ALARM_PANEL
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.gateway.sia_dc09.test_driver import running


def panel(port: int, type: str = "tcp", **numbers: int) -> Any:  # noqa: A002  (its own word)
    made = dc09_spt("1234", **numbers)
    made.set_path("main", "primary", "127.0.0.1", port, account="1234", type=type)
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


async def test_a_foreign_panel_is_content_over_udp() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink, transport="udp") as port:
        spt = panel(port, type="udp")
        spt.send_msg("ADM-CID", {"code": 130, "q": 1, "area": 1, "zone": 15})
        spt.send_msg("SIA-DCS", {"code": "FA", "area": 1, "zone": 7})
        await until_content(spt)
    assert sink.all("panel/event") == ["ADM-CID 1130 01 015", "SIA-DCS Nri1FA7"]
    assert sink.last("zone15/alarm") == "burglary"
    assert sink.last("zone7/alarm") == "fire"
    assert sink.refused == []


@pytest.mark.parametrize(
    ("said", "path", "word"),
    [
        ({"code": "FA", "area": 1, "zone": 7}, "zone7/alarm", "fire"),
        ({"code": "TA", "area": 1, "zone": 7, "zonename": "West door/2"}, "zone7/tamper", "tamper"),
        ({"code": "TA", "area": 1, "areaname": "Hall", "zone": 7, "zonename": "West"}, "zone7/tamper", "tamper"),
        ({"code": "UA", "zone": 7, "text": "West door / hall"}, "zone7/alarm", "general"),
        ({"code": "UA", "zone": 7, "text": "West door", "flavor": "xsia"}, "zone7/alarm", "general"),
        ({"code": "HA", "zone": 12, "time": "now"}, "zone12/alarm", "holdUp"),
        ({"code": "HA", "area": 2, "user": 5, "username": "Li"}, "area2/duress", "HA 02 000 user 5"),
        ({"code": "AT"}, "panel/ac_power", "loss"),
        ({"code": "YT"}, "panel/battery", "low"),
        ({"code": "OP", "area": 2, "user": 5}, "area2/arming", "disarmed"),
        ({"code": "CL", "area": 2, "user": 5}, "area2/arming", "armed"),
        ({"code": "CG", "area": 2}, "area2/arming", "armedStay"),
        ({"code": "RP"}, "panel/tests", 1),
        ({"text": "mere text"}, "panel/event", "SIA-DCS Amere text"),
    ],
)
async def test_codes_as_a_foreign_panel_writes_them_are_understood(
    said: dict[str, object], path: str, word: float | str
) -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        spt = panel(port)
        spt.send_msg("SIA-DCS", said)
        await until_content(spt)
    assert sink.last(path) == word
    assert len(sink.all("panel/event")) == 1
    assert sink.refused == []


async def test_extended_data_in_a_foreign_panels_envelope_stays_with_the_event() -> None:
    sink = RecordingSink(ALARM_PANEL)
    async with running(sink) as port:
        spt = panel(port)
        path = spt.tpaths["main"]["primary"]["path"]
        data = "#1234|1130 01 015][MAABBCCDDEEFF][V192.0.2.7/cam3][X52.21][Y5.97]"
        assert await asyncio.to_thread(spt.transfer_msg, 7, "ADM-CID", data, path)
    assert sink.last("panel/event") == "ADM-CID 1130 01 015 [MAABBCCDDEEFF][V192.0.2.7/cam3][X52.21][Y5.97]"


async def test_two_foreign_panels_share_a_port() -> None:
    sinks = {account: RecordingSink(ALARM_PANEL) for account in ("1234", "5678")}
    async with running(sinks["1234"]) as port, running(sinks["5678"], listen_port=port, account="5678"):
        for account, zone in (("1234", 1), ("5678", 2)):
            spt = dc09_spt(account)
            spt.set_path("main", "primary", "127.0.0.1", port, account=account)
            spt.send_msg("ADM-CID", {"code": 130, "q": 1, "area": 1, "zone": zone})
            await until_content(spt)
    assert sinks["1234"].all("panel/event") == ["ADM-CID 1130 01 001"]
    assert sinks["5678"].all("panel/event") == ["ADM-CID 1130 01 002"]
