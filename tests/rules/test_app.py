"""Rules over a real database, on SQLite and PostgreSQL: one transaction, restarts, failures."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import DependencyUnavailable, NotFound
from contracts.faults import FaultEvent, FaultEventType, FaultState
from rules.adapters import fault_rows
from rules.adapters.tables import fault, rule_checkpoint, rule_condition
from rules.app import Rules
from rules.condition import Outcome
from rules.faults import FaultFilter
from rules.files import DEFAULT_CATALOGUE, load_rules
from rules.instance import Change, Key
from rules.lifecycle import TransitionNotAllowed
from rules.settings import RulesSettings
from runtime.clock import ManualClock
from runtime.database import Database
from runtime.event_log import EventLog
from tests.rules.site import BEGIN_MS, Row, Site, SiteDevice, StoredHistory, batch_of, stored_history

ATM = "BR1/atm-01"
PANEL = "BR1/alarm-01"
SITE = Site(
    (
        ATM,
        "atm",
        [
            "link/state",
            "cdm/transport",
            "idc/device",
            "cdm/unit1/count",
            "cdm/unit1/low_threshold",
            "cdm/unit1/initial",
            "cdm/retract_operations",
        ],
    ),
    (PANEL, "alarm_panel", ["link/supervision_age", "zone1/alarm", "zone2/alarm"]),
)
SETTINGS = RulesSettings(late_s=0, catch_up_s=0)


class House:
    """Rules with a store of their own and a hand on the clock."""

    def __init__(self, database: Database, history: StoredHistory, settings: RulesSettings = SETTINGS) -> None:
        self.database = database
        self.settings = settings
        self.clock = ManualClock(BEGIN_MS)
        self.log = EventLog(database, self.clock)
        self.history = history
        self.registry = CollectorRegistry()
        self.rules = self.new_rules()

    def new_rules(self) -> Rules:
        self.registry = CollectorRegistry()
        return Rules(self.settings, self.database, self.log, self.clock, self.registry)

    async def start(self) -> None:
        await self.rules.restore(self.history)
        await self.rules.devices_changed(SITE.devices)

    async def restart(self) -> None:
        """As after a kill: nothing is stored on the way out."""
        self.rules = self.new_rules()
        await self.start()

    async def say(self, device_id: str, path: str, at_s: float, value: float | str) -> None:
        """A reading that is committed and taken 200 ms after it was observed."""
        row = SITE.row(device_id, path, at_s, value)
        self.clock.advance(row.at_ms + 200 - self.clock.now_ms())
        await self.take([row])

    async def take(self, rows: list[Row]) -> None:
        position = await self.history.commit(rows)
        await self.rules.take(batch_of(rows), SITE.series, position)

    async def tick(self, at_s: float) -> None:
        self.clock.advance(BEGIN_MS + round(at_s * 1000) - self.clock.now_ms())
        await self.rules.tick()

    async def told(self) -> list[tuple[str, str, int]]:
        """(event, rule, seconds of observation) of all fault events."""
        events = [(event.type, FaultEvent.model_validate(event.data)) for event in await self.log.read(0)]
        return [(type_, said.rule_id, (said.observed_at_ms - BEGIN_MS) // 1000) for type_, said in events]

    async def count(self, table: str = "rule_condition") -> int:
        wanted = {"rule_condition": rule_condition, "fault": fault}[table]
        async with self.database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(wanted))).scalar_one())


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    async with stored_history(tmp_path, SITE.series) as history:
        made = House(database, history)
        await made.start()
        yield made


async def test_a_reading_becomes_a_fault_with_its_event_and_its_texts(house: House) -> None:
    await house.say(PANEL, "zone1/alarm", 1, "burglary")
    (view,) = await house.rules.faults.list()
    assert (view.rule_id, view.device_id, view.branch_id, view.part) == ("alm.burglary", PANEL, "BR1", "zone1")
    assert (view.state, view.active, view.latches) == (FaultState.UNACKNOWLEDGED, True, True)
    assert (view.title_en, view.title_zh) == ("Burglary alarm", "入侵报警")
    assert view.en is not None
    assert view.en.action.startswith("verify by picture")
    assert (view.observed_at_ms, view.trigger_at_ms) == (BEGIN_MS + 1000, BEGIN_MS + 1000)
    assert view.detection_ms == 200
    (event,) = await house.log.read(0)
    said = FaultEvent.model_validate(event.data)
    assert (event.type, event.subject, event.actor) == ("fault.raised", f"fault/{view.id}", "system")
    assert said.fault_id == view.id
    assert said.work_order is not None
    assert (said.work_order.type, said.work_order.skill) == ("SR", "SEC")
    assert house.registry.get_sample_value("branchwatch_faults_raised_total", {"rule": "alm.burglary"}) == 1
    assert house.registry.get_sample_value("branchwatch_faults_active") == 1
    assert house.registry.get_sample_value("branchwatch_device_to_fault_seconds_sum") == pytest.approx(0.2)


async def test_a_restart_during_an_on_delay_raises_at_the_moment_it_would_have_come(house: House) -> None:
    await house.say(ATM, "cdm/transport", 0, "ok")
    await house.say(ATM, "cdm/transport", 10, "inoperative")
    await house.tick(20)
    await house.restart()
    await house.tick(39)
    assert await house.told() == []
    await house.tick(65)
    assert await house.told() == [("fault.raised", "atm.cdm.jam", 40)]
    (view,) = await house.rules.faults.list()
    assert view.detection_ms is None


async def test_a_restart_during_an_off_delay_clears_at_the_moment_it_would_have_come(house: House) -> None:
    await house.say(ATM, "cdm/transport", 10, "inoperative")
    await house.say(ATM, "cdm/transport", 50, "ok")
    await house.restart()
    await house.tick(170)
    assert await house.told() == [("fault.raised", "atm.cdm.jam", 40), ("fault.cleared", "atm.cdm.jam", 110)]


async def test_a_restart_forgets_neither_what_a_counter_grew_nor_when_that_ends(house: House) -> None:
    for at_s, count in ((0, 40), (600, 41), (1200, 42)):
        await house.say(ATM, "cdm/retract_operations", at_s, count)
    await house.restart()
    await house.say(ATM, "cdm/retract_operations", 1800, 43)
    await house.restart()
    await house.tick(4199)
    burst = "atm.cdm.retract_burst"
    assert [told for told in await house.told() if told[1] == burst] == [("fault.raised", burst, 1800)]
    await house.tick(4200 + 7201)
    assert [told for told in await house.told() if told[1] == burst][1:] == [("fault.cleared", burst, 4200 + 7200)]


async def test_commits_that_nobody_took_are_taken_after_a_restart(house: House) -> None:
    await house.say(ATM, "idc/device", 0, "online")
    await house.history.commit([SITE.row(ATM, "idc/device", 10, "hardwareError")])
    await house.history.commit(
        [SITE.row(PANEL, "zone2/alarm", 12, "fire"), SITE.row(PANEL, "zone2/alarm", 13, "restored")]
    )
    await house.restart()
    await house.tick(41)
    assert await house.told() == [
        ("fault.raised", "alm.fire", 12),
        ("fault.latched", "alm.fire", 13),
        ("fault.raised", "xfs.idc.down", 40),
    ]


async def test_a_commit_that_comes_again_has_one_effect(house: House) -> None:
    rows = [SITE.row(PANEL, "zone1/alarm", 1, "burglary"), SITE.row(PANEL, "zone1/alarm", 2, "restored")]
    await house.take(rows)
    await house.rules.take(batch_of(rows), SITE.series, 1)
    await house.restart()
    await house.rules.take(batch_of(rows), SITE.series, 1)
    assert [type_ for type_, _, _ in await house.told()] == ["fault.raised", "fault.latched"]


@pytest.mark.parametrize("restarts", [False, True])
async def test_back_fill_does_not_hide_what_was_known_live_from_a_restart(house: House, restarts: bool) -> None:
    await house.take([SITE.row(ATM, "cdm/unit1/count", 0, 300), SITE.row(ATM, "cdm/unit1/low_threshold", 0, 200)])
    await house.take([SITE.row(ATM, "cdm/unit1/low_threshold", 5, 10, live=False)])
    if restarts:
        await house.rules.stop()  # stores the position, so that nothing is taken again
        await house.restart()
    await house.say(ATM, "cdm/unit1/count", 10, 100)
    await house.tick(311)
    assert [told for told in await house.told() if told[1] == "atm.cash.low"] == [("fault.raised", "atm.cash.low", 310)]


async def test_silence_is_noticed_and_ends(house: House) -> None:
    await house.say(ATM, "link/state", 0, "up")
    await house.say(PANEL, "link/supervision_age", 0, 0.0)
    await house.tick(179)
    assert await house.told() == []
    await house.tick(250)
    assert sorted(await house.told()) == [("fault.raised", "alm.line_fail", 180), ("fault.raised", "atm.offline", 180)]
    await house.say(ATM, "link/state", 260, "up")
    await house.tick(321)
    assert ("fault.cleared", "atm.offline", 320) in await house.told()


async def test_a_device_that_never_reported_is_missed_also_across_a_restart(house: House) -> None:
    await house.tick(100)
    await house.restart()
    await house.tick(181)
    assert ("fault.raised", "atm.offline", 180) in await house.told()


async def test_nothing_is_written_when_nothing_changed(house: House) -> None:
    await house.say(ATM, "cdm/transport", 1, "ok")
    await house.say(ATM, "link/state", 1, "up")
    await house.say(PANEL, "link/supervision_age", 1, 0.0)

    async def stored() -> tuple[int, int]:
        async with house.database.read() as connection:
            query = select(rule_checkpoint.c.position, rule_checkpoint.c.revision)
            row = (await connection.execute(query)).one()
            return row.position, row.revision

    before = await stored()
    await house.say(ATM, "cdm/transport", 1.5, "ok")
    await house.tick(2)
    assert await stored() == before
    await house.say(ATM, "cdm/transport", 9, "ok")
    assert await stored() == (5, before[1] + 1)
    assert await house.count() == 0


async def test_a_failed_transaction_leaves_nothing_and_is_made_good(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, tries = house.log.append, 0

    async def fail_once(connection: AsyncConnection, *args: Any) -> int:
        nonlocal tries
        tries += 1
        if tries == 2:
            raise DependencyUnavailable("ops database: gone")
        return await append(connection, *args)

    monkeypatch.setattr(house.log, "append", fail_once)
    rows = [SITE.row(PANEL, "zone1/alarm", 1, "burglary"), SITE.row(PANEL, "zone2/alarm", 1, "holdUp")]
    position = await house.history.commit(rows)
    with pytest.raises(DependencyUnavailable):
        await house.rules.take(batch_of(rows), SITE.series, position)
    assert await house.told() == []
    assert await house.count("fault") == 0
    await house.rules.take(batch_of(rows), SITE.series, position)
    assert [rule for _, rule, _ in await house.told()] == ["alm.burglary", "alm.holdup"]


async def test_a_commit_whose_end_nobody_saw_is_not_made_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    write = house.database.write

    @asynccontextmanager
    async def lose_the_answer() -> AsyncIterator[AsyncConnection]:
        async with write() as connection:
            yield connection
        raise DependencyUnavailable("ops database: connection lost after the commit")

    rows = [
        SITE.row(ATM, "cdm/transport", 1, "inoperative"),
        SITE.row(ATM, "cdm/transport", 50, "ok"),
        SITE.row(ATM, "cdm/transport", 150, "inoperative"),
    ]
    position = await house.history.commit(rows)
    monkeypatch.setattr(house.database, "write", lose_the_answer)
    with pytest.raises(DependencyUnavailable):
        await house.rules.take(batch_of(rows), SITE.series, position)
    monkeypatch.undo()
    await house.rules.take(batch_of(rows), SITE.series, position)
    assert await house.told() == [("fault.raised", "atm.cdm.jam", 31), ("fault.cleared", "atm.cdm.jam", 110)]


async def test_a_latched_fault_is_acknowledged_and_reset_by_people(house: House) -> None:
    faults = house.rules.faults
    await house.say(PANEL, "zone1/alarm", 1, "burglary")
    (view,) = await faults.list()
    with pytest.raises(TransitionNotAllowed):
        await faults.reset(view.id, "li.na")
    await house.say(PANEL, "zone1/alarm", 5, "restored")
    assert (await faults.get(view.id)).state is FaultState.LATCHED_UNACKNOWLEDGED
    with pytest.raises(TransitionNotAllowed, match="allowed is acknowledge"):
        await faults.reset(view.id, "li.na")
    acknowledged = await faults.acknowledge(view.id, "li.na", "guard is on the way")
    assert (acknowledged.state, acknowledged.acknowledged_by) == (FaultState.LATCHED_ACKNOWLEDGED, "li.na")
    assert acknowledged.acknowledge_comment == "guard is on the way"
    over = await faults.reset(view.id, "wang.wei", "checked")
    assert (over.state, over.active, over.reset_by, over.reset_comment) == (
        FaultState.NORMAL,
        False,
        "wang.wei",
        "checked",
    )
    assert over.cleared_at_ms is not None
    assert over.ended_observed_at_ms == BEGIN_MS + 5000
    assert [(event.type, event.actor) for event in await house.log.read(0)] == [
        ("fault.raised", "system"),
        ("fault.latched", "system"),
        ("fault.acknowledged", "li.na"),
        ("fault.reset", "wang.wei"),
        ("fault.cleared", "wang.wei"),
    ]
    assert house.registry.get_sample_value("branchwatch_faults_active") == 0


async def test_an_alarm_under_a_latch_makes_the_same_fault_active_again(house: House) -> None:
    await house.say(PANEL, "zone1/alarm", 1, "burglary")
    await house.say(PANEL, "zone1/alarm", 2, "restored")
    await house.restart()
    await house.say(PANEL, "zone1/alarm", 3, "burglary")
    (view,) = await house.rules.faults.list(FaultFilter.ALL)
    assert (view.state, view.occurrences, view.ended_observed_at_ms) == (FaultState.UNACKNOWLEDGED, 2, None)
    assert [type_ for type_, _, _ in await house.told()] == ["fault.raised", "fault.latched", "fault.reactivated"]


async def test_a_fault_that_returns_before_it_is_acknowledged_is_over_when_it_is(house: House) -> None:
    await house.say(ATM, "cdm/transport", 1, "inoperative")
    await house.say(ATM, "cdm/transport", 50, "ok")
    await house.tick(120)
    (view,) = await house.rules.faults.list(FaultFilter.UNACKNOWLEDGED)
    assert view.state is FaultState.RETURNED_UNACKNOWLEDGED
    assert await house.rules.faults.list() == []
    assert (await house.rules.faults.acknowledge(view.id, "li.na")).state is FaultState.NORMAL
    with pytest.raises(TransitionNotAllowed):
        await house.rules.faults.acknowledge(view.id, "li.na")
    await house.say(ATM, "cdm/transport", 130, "inoperative")
    await house.tick(161)
    (second,) = await house.rules.faults.list()
    assert second.id > view.id


async def test_lists_are_filtered_and_paged(house: House) -> None:
    await house.say(PANEL, "zone1/alarm", 1, "burglary")
    await house.say(PANEL, "zone2/alarm", 2, "fire")
    await house.say(ATM, "cdm/transport", 3, "inoperative")
    await house.tick(40)
    faults = house.rules.faults
    everything = await faults.list(FaultFilter.ALL)
    assert [view.rule_id for view in everything] == ["atm.cdm.jam", "alm.fire", "alm.burglary"]
    assert [view.rule_id for view in await faults.list(device_id=ATM)] == ["atm.cdm.jam"]
    assert [view.part for view in await faults.list(rule_id="alm.fire")] == ["zone2"]
    assert await faults.list(branch_id="BR2") == []
    assert await faults.list(limit=2) == everything[:2]
    assert await faults.list(limit=2, before_id=everything[1].id) == everything[2:]
    with pytest.raises(NotFound, match="fault 99"):
        await faults.get(99)
    summary = await faults.summary()
    assert (summary.raised, summary.active, summary.cleared) == (3, 3, 0)
    assert summary.by_rule == {"alm.burglary": 1, "alm.fire": 1, "atm.cdm.jam": 1}
    assert summary.detection_ms == (200, 200)


async def test_two_that_raise_the_same_fault_at_once_make_one(house: House) -> None:
    rule = next(rule for rule in load_rules() if rule.id == "atm.cdm.jam")
    change = Change(rule, Key(rule.id, ATM, ""), Outcome.RAISED, BEGIN_MS, None)
    made: list[object] = []

    async def raise_it() -> None:
        async with house.database.write() as connection:
            made.append(await fault_rows.add(connection, change, FaultState.UNACKNOWLEDGED, BEGIN_MS))

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(raise_it())
    assert sum(row is not None for row in made) == 1
    (view,) = await house.rules.faults.list()
    async with house.database.read() as connection:
        row = dict((await fault_rows.get(connection, view.id))._mapping)
    row.pop("id")

    async def insert_by_hand() -> None:
        async with house.database.write() as connection:
            await connection.execute(insert(fault).values(**row))

    with pytest.raises(IntegrityError):
        await insert_by_hand()


async def test_a_store_that_lost_commits_is_followed_from_its_end(house: House, tmp_path: Path) -> None:
    await house.say(ATM, "cdm/transport", 1, "inoperative")
    await house.tick(40)
    async with stored_history(tmp_path / "backup of before", SITE.series) as history:
        house.history = history
        await house.restart()
        await house.say(ATM, "cdm/transport", 60, "ok")
        await house.tick(121)
    assert [type_ for type_, _, _ in await house.told()] == ["fault.raised", "fault.cleared"]


async def ends(house: House) -> list[tuple[str, str | None]]:
    """(rule, reason) of all faults cleared."""
    events = await house.log.read(0, [FaultEventType.CLEARED])
    said = [FaultEvent.model_validate(event.data) for event in events]
    return [(one.rule_id, one.reason) for one in said]


async def test_a_fault_whose_rule_was_removed_ends_and_says_why(house: House, tmp_path: Path) -> None:
    await house.say(PANEL, "zone1/alarm", 1, "burglary")
    await house.say(PANEL, "zone2/alarm", 2, "fire")
    await house.say(PANEL, "zone2/alarm", 3, "restored")  # the latch holds: that one waits for people
    await house.say(ATM, "cdm/transport", 4, "inoperative")
    await house.tick(60)
    catalogue = tmp_path / "rules"
    catalogue.mkdir()
    shutil.copy(DEFAULT_CATALOGUE / "atm.yaml", catalogue)
    house.settings = RulesSettings(late_s=0, catch_up_s=0, directory=catalogue)
    await house.restart()
    assert await ends(house) == [("alm.burglary", "rule_removed")]
    assert [(view.rule_id, view.state) for view in await house.rules.faults.list()] == [
        ("atm.cdm.jam", FaultState.UNACKNOWLEDGED),
        ("alm.fire", FaultState.LATCHED_UNACKNOWLEDGED),
    ]
    assert house.registry.get_sample_value("branchwatch_faults_active") == 2
    await house.restart()
    assert len(await ends(house)) == 1, "once"
    house.settings = SETTINGS
    await house.restart()
    await house.say(PANEL, "zone1/alarm", 90, "burglary")
    (again,) = await house.rules.faults.list(rule_id="alm.burglary")
    assert again.observed_at_ms >= BEGIN_MS + 1000, "the rule came back and judges anew"


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_fault_of_a_device_that_became_another_kind_ends_and_says_why(house: House, restarts: bool) -> None:
    await house.say(PANEL, "zone1/alarm", 1, "burglary")
    if restarts:
        house.rules = house.new_rules()
        await house.rules.restore(house.history)
    await house.rules.devices_changed([SiteDevice(ATM, "atm"), SiteDevice(PANEL, "footfall_sensor")])
    assert await ends(house) == [("alm.burglary", "device_changed")]
    assert await house.rules.faults.list() == []


async def test_a_fault_of_a_device_that_was_removed_ends_once_and_does_not_come_back(house: House) -> None:
    await house.say(ATM, "idc/device", 1, "hardwareError")
    await house.tick(40)
    await house.rules.devices_changed([SiteDevice(PANEL, "alarm_panel")])
    await house.rules.stop()
    for _ in range(2):
        house.rules = house.new_rules()
        await house.rules.restore(house.history)
        await house.rules.devices_changed([SiteDevice(PANEL, "alarm_panel")])
        await house.tick(100)
    assert await ends(house) == [("xfs.idc.down", "device_removed")]
    await house.rules.devices_changed(SITE.devices)
    await house.say(ATM, "idc/device", 110, "hardwareError")
    await house.tick(141)
    raised = [told for told in await house.told() if told[:2] == ("fault.raised", "xfs.idc.down")]
    assert [at_s for *_, at_s in raised] == [31, 140], "the same word is news from a device that is back"


async def test_a_fault_that_its_changed_rule_no_longer_sees_ends(house: House) -> None:
    await house.say(PANEL, "link/supervision_age", 1, 200.0)
    assert [view.rule_id for view in await house.rules.faults.list()] == ["alm.line_fail"]
    await house.rules.stop()
    house.settings = RulesSettings.model_validate(
        {"late_s": 0, "catch_up_s": 0, "overrides": {"alm.line_fail": {"threshold": 300}}}
    )
    await house.restart()
    await house.tick(70)
    assert await ends(house) == [("alm.line_fail", None)]


async def test_a_stop_stores_the_position_and_running_ends_delays(house: House) -> None:
    await house.say(ATM, "cdm/transport", 1, "inoperative")
    house.clock.advance(60_000)
    runner = asyncio.create_task(house.rules.run())
    async with asyncio.timeout(10):
        while not await house.rules.faults.list():
            await asyncio.sleep(0.02)
    runner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await runner
    await house.say(ATM, "cdm/transport", 62, "inoperative")
    await house.rules.stop()
    async with house.database.read() as connection:
        assert (await connection.execute(select(rule_checkpoint.c.position))).scalar_one() == 2


async def test_a_rule_whose_condition_changed_is_judged_anew(house: House, database: Database) -> None:
    await house.say(PANEL, "link/supervision_age", 1, 120.0)
    assert await house.rules.faults.list() == []
    house.settings = RulesSettings.model_validate(
        {"late_s": 0, "catch_up_s": 0, "overrides": {"alm.line_fail": {"threshold": 100}}}
    )
    await house.restart()
    (view,) = await house.rules.faults.list()
    assert (view.rule_id, view.observed_at_ms, view.detection_ms) == ("alm.line_fail", BEGIN_MS + 1000, None)
