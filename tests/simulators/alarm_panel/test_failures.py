"""What each failure makes a panel say, and the second path."""

from datetime import datetime

import pytest

from runtime.clock import ManualClock
from runtime.supervisor import Backoff
from simulators.alarm_panel import AlarmPanelSimulator
from simulators.alarm_panel.battery import LASTS_S
from simulators.alarm_panel.day import WITHOUT_MISHAPS
from simulators.alarm_panel.failures import CANCEL_AFTER_S, DURESS_AFTER_S, LINE_CUT_S
from simulators.world import CHINA, World
from tests.conftest import free_port
from tests.simulators.alarm_panel.receivers import ACCOUNT, Taken, eventually, running, scripted_receiver
from tests.simulators.alarm_panel.test_sending import blocks, panel_on

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=CHINA)
GUEST = ["1627 00 000", "1601 00 000", "1628 00 000"]


class Site:
    """A panel without a line, in a world whose time the test moves."""

    def __init__(self, begin: datetime = NOON, second_path: tuple[str, int] | None = None) -> None:
        self.clock = ManualClock(int(begin.timestamp() * 1000))
        world = World(clock=self.clock, begin_at=begin)
        self.panel = AlarmPanelSimulator(
            "alm-01", world, ("127.0.0.1", 1), ACCOUNT, habits=WITHOUT_MISHAPS, second_path=second_path
        )

    def wait(self, seconds: float) -> None:
        self.clock.advance(int(seconds * 1000))
        self.panel._advance()

    def said(self) -> list[str]:
        """What it wants to report since the last look."""
        queue = self.panel._sender._queue
        reports = [event.report.block() for event in queue]
        queue.clear()
        return reports


@pytest.mark.parametrize(
    ("failure", "begins", "ends"),
    [
        ("intrusion", ["1130 03 003"], ["3130 03 003"]),
        ("holdup", ["1122 02 012"], ["3122 02 012"]),
        ("fire", ["1110 01 011"], ["3110 01 011"]),
        ("gas", ["1151 01 017"], ["3151 01 017"]),
        ("water", ["1154 04 018"], ["3154 04 018"]),
        ("duress", ["1121 02 005"], []),
        ("tamper", ["1137 00 000"], [GUEST[0], "3137 00 000", *GUEST[1:]]),
        ("mains_loss", ["1301 00 000"], ["3301 00 000"]),
        ("ac_loss", ["1301 00 000"], ["3301 00 000"]),
        ("battery_low", ["1302 00 000"], [GUEST[0], "3302 00 000", *GUEST[1:]]),
        ("battery_fault", ["1311 00 000"], [GUEST[0], "3311 00 000", *GUEST[1:]]),
        ("siren_fault", ["1321 00 000"], [GUEST[0], "3321 00 000", *GUEST[1:]]),
        ("expander_fault", ["1333 00 000"], [GUEST[0], "3333 00 000", *GUEST[1:]]),
        ("rf_jam", ["1344 00 000"], ["3344 00 000"]),
        ("zone_trouble", ["1380 01 002"], [GUEST[0], "3380 01 002", *GUEST[1:]]),
        ("zone_tamper", ["1144 01 002"], [GUEST[0], "3144 01 002", *GUEST[1:]]),
        ("zone_bypassed", ["1570 01 002"], ["3570 01 002"]),
        ("detector_battery", ["1384 02 005"], [GUEST[0], "3384 02 005", *GUEST[1:]]),
        ("walk_test", ["1607 00 000"], ["3607 00 000"]),
        ("wrong_codes", ["1461 01 000"], []),
        ("test_lost", [GUEST[0], "1306 00 000", *GUEST[1:]], [GUEST[0], "1306 00 000", *GUEST[1:]]),
        ("forgotten_arming", [], ["3452 02 005", "3401 02 005", "3452 01 005", "3401 01 005"]),
    ],
)
async def test_a_failure_says_what_it_is_once_and_its_repair_ends_it(
    failure: str, begins: list[str], ends: list[str]
) -> None:
    site = Site()
    await site.panel.inject(failure)
    assert site.said() == begins
    if failure not in {"duress", "wrong_codes", "test_lost"}:
        await site.panel.inject(failure)
        assert site.said() == []
    await site.panel.repair(failure)
    assert site.said() == ends


async def test_a_false_alarm_at_the_exit_is_cancelled_after_25_seconds_and_the_hall_is_as_before() -> None:
    site = Site()
    await site.panel.inject("false_alarm_at_exit")
    assert site.said() == ["3401 01 005", "1134 01 001"]
    site.wait(CANCEL_AFTER_S - 1)
    assert site.said() == []
    site.wait(2)
    assert site.said() == ["1406 01 005", "3134 01 001", "1401 01 005"]


async def test_a_robbery_is_a_silent_button_and_later_a_code_under_threat() -> None:
    site = Site()
    await site.panel.inject("robbery")
    assert site.said() == ["1122 02 012"]
    site.wait(DURESS_AFTER_S + 1)
    assert site.said() == ["1121 02 005"]


async def test_what_was_repaired_before_its_next_act_does_not_go_on() -> None:
    site = Site()
    await site.panel.inject("robbery")
    await site.panel.repair("robbery")
    site.said()
    site.wait(DURESS_AFTER_S + 1)
    assert site.said() == []


async def test_five_wrong_codes_come_one_after_the_other() -> None:
    site = Site()
    await site.panel.inject("wrong_codes")
    site.wait(60)
    assert site.said() == ["1461 01 000"] * 5


async def test_a_lost_test_does_not_come_until_it_is_programmed_again() -> None:
    site = Site()
    await site.panel.inject("test_lost")
    site.said()
    site.wait(3 * 86400)
    assert "1602 00 000" not in site.said()
    await site.panel.repair("test_lost")
    site.said()
    site.wait(86400)
    assert site.said().count("1602 00 000") == 1


async def test_a_forgotten_hall_is_open_at_night_and_the_panel_says_so() -> None:
    site = Site()
    await site.panel.inject("forgotten_arming")
    site.wait(10 * 3600)
    said = site.said()
    assert not [block for block in said if block.startswith("3401 01")]
    assert {"1454 01 000", "1454 02 000"} <= set(said)
    assert not site.panel.model.armed[1]


async def test_without_mains_the_battery_gets_low_and_empty_and_the_panel_starts_again_with_the_mains() -> None:
    site = Site(NOON.replace(hour=19))
    await site.panel.inject("ac_loss")
    site.wait(LASTS_S * 0.7)
    assert [block for block in site.said() if block[1:3] == "30"] == ["1301 00 000", "1302 00 000"]
    site.wait(LASTS_S * 0.4)
    await site.panel.inject("intrusion")
    assert site.said() == []
    await site.panel.repair("ac_loss")
    assert site.said()[:2] == ["1305 00 000", "3301 00 000"]


async def test_without_a_battery_the_panel_is_dead_when_the_mains_go() -> None:
    site = Site()
    await site.panel.inject("battery_fault")
    site.said()
    await site.panel.inject("ac_loss")
    assert site.said() == []
    await site.panel.repair("ac_loss")
    assert "1311 00 000" in site.said()


async def test_a_dead_panel_says_nothing_and_then_how_things_stand() -> None:
    port = free_port()
    async with scripted_receiver(port) as receiver, running(panel_on(port, supervision_s=0.05)) as panel:
        await eventually(lambda: panel.counts.supervisions > 0)
        await panel.inject("siren_fault")
        await eventually(lambda: panel.waiting == 0)
        await panel.inject("panel_dead")
        await eventually(lambda: not receiver._writers)
        heard = len(receiver.taken)
        await panel.inject("intrusion")
        await panel.repair("panel_dead")
        await eventually(lambda: panel.waiting == 0)
        assert receiver.taken[heard].data.endswith("1305 00 000")
    assert blocks(panel)[-9:] == [
        *("1305 00 000", "3301 00 000", "3302 00 000", "3137 00 000"),
        *("1400 01 000", "1400 02 000", "3400 03 000", "3400 04 000", "1321 00 000"),
    ]


async def test_a_cut_line_is_silent_for_four_minutes_and_then_the_intruder_is_reported() -> None:
    port = free_port()
    world = World(begin_at=NOON.replace(hour=13), pace=LINE_CUT_S / 0.5)
    panel = AlarmPanelSimulator(
        "alm-01", world, ("127.0.0.1", port), ACCOUNT,
        habits=WITHOUT_MISHAPS, supervision_s=0.05, pause=Backoff(0.02, 0.05),
    )  # fmt: skip
    async with scripted_receiver(port) as receiver, running(panel):
        await eventually(lambda: panel.counts.supervisions > 0)
        await panel.inject("line_cut_then_intrusion")
        await eventually(lambda: not receiver._writers)
        heard = len(receiver.taken)
        await eventually(lambda: "1137 00 000" in blocks(panel))
        assert receiver.taken[heard].data.endswith("1351 00 000")
    alarms = [block for block in blocks(panel) if block[:4] in {"1351", "1130", "1137"}]
    assert alarms == ["1351 00 000", "1130 03 003", "1137 00 000"]


async def test_events_take_the_second_path_while_the_first_does_not_work_and_both_changes_are_reported() -> None:
    main, second = free_port(), free_port()
    async with scripted_receiver(main) as first, scripted_receiver(second) as other:
        panel = panel_on(main, second_path=("127.0.0.1", second), supervision_s=0.1, second_supervision_s=0.1)
        async with running(panel):
            await eventually(lambda: panel.waiting == 0 and any(taken.token == "NULL" for taken in other.taken))
            assert not other.events()
            await panel.inject("path_fault")
            await panel.inject("intrusion")
            await eventually(lambda: panel.waiting == 0 and len(other.events()) == 2)
            assert sorted(_blocks(other.events())) == ["1130 03 003", "1351 00 000"]
            heard = len(first.events())
            await panel.repair("path_fault")
            await eventually(lambda: "3351 00 000" in blocks(panel))
            await panel.repair("intrusion")
            await eventually(lambda: panel.waiting == 0)
            assert _blocks(first.events()[heard:]) == ["3351 00 000", "3130 03 003"]


async def test_a_failed_second_path_is_reported_over_the_first() -> None:
    main, second = free_port(), free_port()
    async with scripted_receiver(main) as first:
        panel = panel_on(main, second_path=("127.0.0.1", second), second_supervision_s=0.1)
        async with running(panel):
            await eventually(lambda: "1353 00 000" in _blocks(first.events()))
            async with scripted_receiver(second):
                await eventually(lambda: "3353 00 000" in _blocks(first.events()))
    assert "radio_fault" in panel.failures


async def test_a_wrong_clock_shows_on_the_wire_until_it_is_set() -> None:
    port = free_port()
    async with scripted_receiver(port), running(panel_on(port)) as panel:
        await panel.inject("clock_wrong")
        assert panel._clock.offset_ms == pytest.approx(-60_000, abs=100)
        await panel.repair("clock_wrong")
        assert panel._clock.offset_ms == pytest.approx(0, abs=100)


async def test_a_clock_without_a_time_source_drifts() -> None:
    clock = ManualClock(0)
    panel = AlarmPanelSimulator(
        "alm-01", World(clock=clock), ("127.0.0.1", 1), ACCOUNT, clock_offset_s=1.0, drift_s_a_day=-1.5
    )
    clock.advance(10 * 86_400_000)
    assert panel._clock.offset_ms == -14_000


def _blocks(taken: list[Taken]) -> list[str]:
    return list(dict.fromkeys(one.data.partition("|")[2] for one in taken))
