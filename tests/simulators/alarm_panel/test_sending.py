"""A panel on the line: what it repeats, what it keeps, and what a foreign receiver makes of it."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from runtime.clock import SystemClock
from runtime.supervisor import Backoff
from simulators.alarm_panel import AlarmPanelSimulator
from simulators.alarm_panel.contact_id import Code, new, restored
from simulators.alarm_panel.day import WITHOUT_MISHAPS
from simulators.alarm_panel.frames import frame, timestamp
from simulators.alarm_panel.messages import Event, Writer
from simulators.alarm_panel.panel_clock import PanelClock
from simulators.alarm_panel.sender import QUEUE_LIMIT
from simulators.world import CHINA, World
from tests.conftest import free_port
from tests.simulators.alarm_panel.receivers import (
    ACCOUNT,
    Taken,
    acknowledge,
    eventually,
    pysiaalarm_receiver,
    running,
    scripted_receiver,
)

POWER_UP = 8
"""Reports of a panel that starts: reset, mains, battery, cover and four areas."""


def panel_on(port: int, **options: Any) -> AlarmPanelSimulator:
    world = World(begin_at=datetime(2026, 11, 20, 11, 0, tzinfo=CHINA))
    usual: dict[str, Any] = {
        "habits": WITHOUT_MISHAPS,
        "reply_timeout_s": 0.2,
        "clock_offset_s": 0.0,
        "pause": Backoff(first_s=0.02, most_s=0.05),
    }
    return AlarmPanelSimulator("alm-01", world, ("127.0.0.1", port), ACCOUNT, **(usual | options))


def blocks(panel: AlarmPanelSimulator) -> list[str]:
    return [delivered.event.report.block() for delivered in panel.acknowledged]


async def test_a_foreign_receiver_reads_intrusion_restore_supervision_and_mains_loss() -> None:
    port = free_port()
    async with pysiaalarm_receiver(port) as seen, running(panel_on(port, supervision_s=0.3)) as panel:
        await eventually(lambda: panel.waiting == 0)
        await panel.inject("intrusion")
        await panel.repair("intrusion")
        await panel.inject("mains_loss")
        await panel.repair("mains_loss")
        await eventually(lambda: panel.counts.supervisions >= 1)
        decoded = [(event.code, event.partition, event.ri, event.account, event.message_type.value) for event in seen]
    assert decoded[POWER_UP : POWER_UP + 4] == [
        ("BA", "03", "003", ACCOUNT, "ADM-CID"),
        ("BH", "03", "003", ACCOUNT, "ADM-CID"),
        ("AT", "00", "000", ACCOUNT, "ADM-CID"),
        ("AR", "00", "000", ACCOUNT, "ADM-CID"),
    ]
    assert ("RP", None, "0", ACCOUNT, "NULL") in decoded[POWER_UP + 4 :]


async def test_the_first_reports_say_how_things_stand() -> None:
    port = free_port()
    async with scripted_receiver(port), running(panel_on(port)) as panel:
        await eventually(lambda: panel.waiting == 0)
    assert blocks(panel) == [
        *("1305 00 000", "3301 00 000", "3302 00 000", "3137 00 000"),
        *("1400 01 000", "1400 02 000", "3400 03 000", "3400 04 000"),
    ]


async def test_a_retransmission_is_the_same_bytes_with_the_same_sequence_number() -> None:
    port = free_port()
    turn = itertools.count()

    def deaf_at_first(taken: Taken) -> bytes:
        return b"" if next(turn) < 2 else acknowledge(taken)

    async with scripted_receiver(port, deaf_at_first) as receiver, running(panel_on(port)) as panel:
        await eventually(lambda: panel.waiting == 0)
        raws = [taken.raw for taken in receiver.events()]
    assert raws[0] == raws[1] == raws[2]
    assert [taken.sequence for taken in receiver.events()] == [1, 1, 1, 2, 3, 4, 5, 6, 7, 8]
    assert panel.counts.retransmissions == 2


async def test_a_message_keeps_its_number_even_over_new_connections() -> None:
    port = free_port()
    turn = itertools.count()

    def deaf_for_five(taken: Taken) -> bytes:
        return b"" if next(turn) < 5 else acknowledge(taken)

    async with scripted_receiver(port, deaf_for_five) as receiver, running(panel_on(port, tries=2)) as panel:
        await eventually(lambda: panel.waiting == 0)
    assert receiver.connections == 3
    assert panel.counts.retransmissions == 5
    assert len({taken.raw for taken in receiver.events()[:6]}) == 1


async def test_nothing_is_lost_while_the_receiver_is_down() -> None:
    port = free_port()
    async with scripted_receiver(port) as receiver, running(panel_on(port)) as panel:
        await eventually(lambda: panel.waiting == 0)
        await receiver.stop()
        expected = blocks(panel)
        for _ in range(10):
            for change, block in ((panel.inject, "1122 02 012"), (panel.repair, "3122 02 012")):
                await change("holdup")
                expected.append(block)
        assert panel.waiting == 20
        await receiver.start()
        await eventually(lambda: panel.waiting == 0)
        received = list(dict.fromkeys((taken.sequence, taken.data) for taken in receiver.events()))
    assert blocks(panel) == expected
    assert [data for _, data in received] == [f"#{ACCOUNT}|{block}" for block in expected]


async def test_an_event_from_before_the_outage_ended_tells_when_it_happened() -> None:
    clock = SystemClock()
    writer = Writer(ACCOUNT, PanelClock(clock, 30), World().chance("x"))
    happened_ms = clock.now_ms() - 90_000
    written = writer.write(1, Event(new(Code.BURGLARY, 3, 3), happened_ms))
    assert f"[H{timestamp(happened_ms + 30_000)}]".encode() in written.frame


async def test_a_reply_lost_on_purpose_brings_a_duplicate_and_no_second_event() -> None:
    port = free_port()
    async with scripted_receiver(port) as receiver, running(panel_on(port, lose_replies=0.3, tries=10)) as panel:
        for _ in range(5):
            await panel.inject("holdup")
            await panel.repair("holdup")
        await eventually(lambda: panel.waiting == 0)
        taken = receiver.events()
    assert panel.counts.replies_lost >= 1
    assert len(taken) == POWER_UP + 10 + panel.counts.replies_lost
    assert len({(one.sequence, one.data) for one in taken}) == len(panel.acknowledged) == POWER_UP + 10


async def test_a_nak_sets_the_clock_and_the_message_goes_again_under_its_number() -> None:
    port = free_port()

    def strict(taken: Taken) -> bytes:
        now_ms = SystemClock().now_ms()
        allowed = {timestamp(now_ms - back_s * 1000).encode() for back_s in range(4)}
        if any(text in taken.raw for text in allowed):
            return acknowledge(taken)
        return frame(f'"NAK"0000R0L0A0[]_{timestamp(now_ms)}')

    async with (
        scripted_receiver(port, strict) as receiver,
        running(panel_on(port, clock_offset_s=-300.0)) as panel,
    ):
        await eventually(lambda: panel.waiting == 0)
    assert panel.counts.clock_corrections == 1
    assert [taken.sequence for taken in receiver.events()[:3]] == [1, 1, 2]


async def test_what_the_receiver_cannot_process_is_set_aside_and_the_next_goes_on() -> None:
    port = free_port()

    def knows_no_reset(taken: Taken) -> bytes:
        reply = "DUH" if "305" in taken.data else "ACK"
        return frame(f'"{reply}"{taken.sequence:04d}R1L0#{ACCOUNT}[]')

    async with scripted_receiver(port, knows_no_reset), running(panel_on(port)) as panel:
        await eventually(lambda: panel.waiting == 0)
    assert [delivered.event.report.block() for delivered in panel.not_understood] == ["1305 00 000"]
    assert len(panel.acknowledged) == POWER_UP - 1


@pytest.mark.parametrize(
    "noise",
    [
        lambda taken: b"\n\r",
        lambda taken: frame(f'"ACK"{taken.sequence % 9999 + 1:04d}R1L0#{ACCOUNT}[]'),
        lambda taken: frame(f'"ACK"{taken.sequence:04d}R1L0#9999[]'),
        lambda taken: b"\n00000014" + frame(f'"ACK"{taken.sequence:04d}R1L0#{ACCOUNT}[]')[9:],
    ],
    ids=["empty", "other number", "other account", "wrong checksum"],
)
async def test_a_reply_that_is_not_for_this_message_acknowledges_nothing(noise: Callable[[Taken], bytes]) -> None:
    port = free_port()
    async with scripted_receiver(port, noise) as receiver, running(panel_on(port, reply_timeout_s=0.03)) as panel:
        await eventually(lambda: len(receiver.taken) >= 4)
    assert not panel.acknowledged
    assert panel.waiting == POWER_UP


async def test_a_silent_panel_sends_nothing_and_catches_up_when_it_speaks_again() -> None:
    port = free_port()
    async with scripted_receiver(port) as receiver, running(panel_on(port, supervision_s=0.05)) as panel:
        await eventually(lambda: panel.counts.supervisions > 0)
        await panel.inject("silence")
        await eventually(lambda: not receiver._writers)
        heard = len(receiver.taken)
        await panel.inject("intrusion")
        with pytest.raises(TimeoutError):
            await eventually(lambda: len(receiver.taken) > heard, within_s=0.3)
        await panel.repair("silence")
        await eventually(lambda: panel.waiting == 0)
    assert blocks(panel)[-1] == "1130 03 003"


async def test_an_alarm_does_not_wait_behind_a_supervision_message_nobody_answers() -> None:
    port = free_port()

    def ignores_supervision(taken: Taken) -> bytes:
        return b"" if taken.token == "NULL" else acknowledge(taken)

    async with (
        scripted_receiver(port, ignores_supervision) as receiver,
        running(panel_on(port, supervision_s=0.05, tries=1000)) as panel,
    ):
        await eventually(lambda: any(taken.token == "NULL" for taken in receiver.taken))
        await panel.inject("intrusion")
        await eventually(lambda: panel.waiting == 0, within_s=2)
    assert blocks(panel)[-1] == "1130 03 003"


async def test_sequence_numbers_wrap_from_9999_to_1() -> None:
    port = free_port()
    panel = panel_on(port)
    panel._sender._last_sequence = 9996
    async with scripted_receiver(port), running(panel):
        await eventually(lambda: panel.waiting == 0)
    assert [delivered.sequence for delivered in panel.acknowledged] == [9997, 9998, 9999, 1, 2, 3, 4, 5]


async def test_openings_follow_the_pace_of_the_world_over_the_wire() -> None:
    port = free_port()
    world = World(begin_at=datetime(2026, 11, 20, 8, 0, tzinfo=CHINA), pace=timedelta(hours=11) / timedelta(seconds=2))
    panel = AlarmPanelSimulator(
        "alm-01", world, ("127.0.0.1", port), ACCOUNT, habits=WITHOUT_MISHAPS, pause=Backoff(0.02, 0.05)
    )
    async with scripted_receiver(port), running(panel):
        await eventually(lambda: any(block.startswith("3401 01") for block in blocks(panel)))
    changes = [block[:7] for block in blocks(panel) if block[1:4] == "401"]
    assert changes == ["1401 01", "1401 02", "3401 02", "3401 01"]


async def test_a_full_queue_refuses_rather_than_forgets() -> None:
    panel = panel_on(free_port())
    for _ in range(QUEUE_LIMIT):
        panel._sender.enqueue(Event(restored(Code.TAMPER), 0))
    with pytest.raises(OverflowError, match=f"account {ACCOUNT}: {QUEUE_LIMIT} events wait"):
        await panel.inject("intrusion")


async def test_an_unknown_failure_is_refused_with_those_there_are() -> None:
    panel = panel_on(free_port())
    with pytest.raises(ValueError, match="alm-01: no failure 'flood'; an alarm panel has intrusion, holdup"):
        await panel.inject("flood")
    with pytest.raises(ValueError, match="no failure 'flood'"):
        await panel.repair("flood")


async def test_an_account_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="account 'XY': expected 3 to 16 hexadecimal digits"):
        AlarmPanelSimulator("alm-01", World(), ("127.0.0.1", 1), "XY")
