"""A receiver of another maker takes what the panel says: both protocols, both transports, in the clear and encrypted."""

import asyncio
from typing import Any

import pytest

from simulators.alarm_panel import Quirks
from simulators.alarm_panel.contact_id import Code
from simulators.alarm_panel.quirks import Transport
from simulators.alarm_panel.sia_dcs import LETTERS
from tests.conftest import free_port
from tests.simulators.alarm_panel.receivers import ACCOUNT, eventually, pysiaalarm_receiver, running
from tests.simulators.alarm_panel.test_sending import POWER_UP, panel_on

KEYS = {
    "none": None,
    "AES-128": "0123456789ABCDEF",
    "AES-192": "0123456789ABCDEF01234567",
    "AES-256": "0123456789ABCDEF" * 2,
}

UNKNOWN_TO_IT = {"3305", "1154", "3154", "1380", "3380", "1384", "3384", "1607", "3607", "1452", "3452"}
"""Contact ID events it answers with DUH, for want of a translation."""


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize("protocol", ["ADM-CID", "SIA-DCS"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_it_takes_events_and_supervision_in_every_protocol_over_every_transport(
    transport: Transport, protocol: str, key: str | None
) -> None:
    port = free_port()
    options: dict[str, Any] = {"protocol": protocol, "transport": transport, "supervision_s": 0.3}
    async with (
        pysiaalarm_receiver(port, key, transport) as seen,
        running(panel_on(port, key=key.encode() if key else None, **options)) as panel,
    ):
        await eventually(lambda: panel.waiting == 0)
        await panel.inject("intrusion")
        await panel.repair("intrusion")
        await panel.inject("ac_loss")
        await eventually(lambda: panel.waiting == 0 and panel.counts.supervisions >= 1)
        decoded = [(event.code, event.message_type.value, event.account, event.encrypted) for event in seen]
    encrypted = key is not None
    assert [code for code, *_ in decoded if code != "RP"][POWER_UP:] == ["BA", "BH", "AT"]
    assert {(kind, account, sealed) for _, kind, account, sealed in decoded} == {
        (protocol, ACCOUNT, encrypted),
        ("NULL", ACCOUNT, encrypted),
    }
    assert panel.counts.replies_refused == 0
    assert not panel.not_understood


@pytest.mark.parametrize("protocol", ["ADM-CID", "SIA-DCS"])
async def test_it_takes_every_failure_and_repair(protocol: str) -> None:
    port = free_port()
    async with pysiaalarm_receiver(port) as seen, running(panel_on(port, protocol=protocol)) as panel:
        for failure in panel.failures:
            await panel.inject(failure)
            await panel.repair(failure)
            await eventually(lambda: panel.waiting == 0)
        wanted = [delivered.event.report.block() for delivered in panel.acknowledged]
        await asyncio.sleep(0)
    refused = {delivered.event.report.block()[:4] for delivered in panel.not_understood}
    assert refused <= (UNKNOWN_TO_IT if protocol == "ADM-CID" else set())
    assert len(seen) == len(wanted)
    if protocol == "ADM-CID":
        assert [f"{event.event_qualifier}{event.event_type}" for event in seen] == [block[:4] for block in wanted]
    else:
        assert [event.code for event in seen] == [LETTERS[Code(int(block[1:4]))][block[0] == "3"] for block in wanted]


async def test_it_reads_the_zone_the_area_and_the_user_of_a_sia_event() -> None:
    port = free_port()
    async with pysiaalarm_receiver(port) as seen, running(panel_on(port, protocol="SIA-DCS")) as panel:
        await panel.inject("intrusion")
        await panel.inject("duress")
        await eventually(lambda: panel.waiting == 0)
        alarm, duress = seen[-2:]
    assert (alarm.code, alarm.ri, alarm.message) == ("BA", "3", "003")
    assert (duress.code, duress.ri, duress.id) == ("HA", "2", "5")


@pytest.mark.parametrize("quirks", [Quirks(without_timestamp=True), Quirks(clock_off_s=15)], ids=["no time", "clock"])
@pytest.mark.parametrize("key", [None, KEYS["AES-128"]], ids=["clear", "AES"])
async def test_it_takes_a_panel_without_a_timestamp_or_with_a_clock_a_little_off(
    quirks: Quirks, key: str | None
) -> None:
    port = free_port()
    sealed = key.encode() if key else None
    async with pysiaalarm_receiver(port, key) as seen, running(panel_on(port, quirks=quirks, key=sealed)) as panel:
        await eventually(lambda: panel.waiting == 0)
    assert len(seen) == POWER_UP
    assert all((event.timestamp is None) == (quirks.without_timestamp and key is None) for event in seen)


async def test_a_clock_that_drifted_too_far_is_set_by_its_nak() -> None:
    port = free_port()
    key = KEYS["AES-256"]
    assert key is not None
    async with (
        pysiaalarm_receiver(port, key) as seen,
        running(panel_on(port, key=key.encode(), clock_offset_s=-75.0)) as panel,
    ):
        await eventually(lambda: panel.waiting == 0)
    assert panel.counts.clock_corrections == 1
    assert len(seen) == POWER_UP
