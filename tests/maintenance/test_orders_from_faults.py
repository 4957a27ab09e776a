"""From fault events in the log to verified, closed work orders, on SQLite and PostgreSQL."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import NotFound
from contracts.faults import EndReason, FaultEvent, FaultEventType, FaultState, Severity, WorkOrderAdvice, WorkOrderType
from contracts.work_orders import WorkOrderCommand as Command
from contracts.work_orders import WorkOrderState as State
from maintenance.app import Maintenance, MaintenanceSettings
from maintenance.fault_intake import CONSUMER, EVENT_TYPES, FaultIntake
from maintenance.offers import Offers
from maintenance.order import OpenOrderExists, WorkOrder
from maintenance.transitions import CommandNotAllowed
from maintenance.verification import Verdict, Verification, VerificationBounds, judge
from maintenance.work_orders import (
    CommandIdReused,
    CommandRequest,
    RevisionConflict,
    TooLateToReopen,
    WorkOrders,
)
from runtime.clock import ManualClock
from runtime.database import Database
from runtime.event_log import Consumer, EventLog

NOW = 1_795_000_000_000
HOLD_S = 900.0


def fault(
    fault_id: int,
    *,
    device: str = "BR0001/atm-01",
    family: str = "jam",
    wait_s: float = 0.0,
    severity: Severity = Severity.MAJOR,
) -> FaultEvent:
    return FaultEvent(
        fault_id=fault_id,
        rule_id="atm.cdm.jam",
        device_id=device,
        branch_id=device.partition("/")[0],
        component="cdm",
        part="",
        family=family,
        severity=severity,
        state=FaultState.UNACKNOWLEDGED,
        title_en="Notes jammed in the dispenser",
        title_zh="出钞卡钞",
        observed_at_ms=NOW,
        work_order=WorkOrderAdvice(type=WorkOrderType.CORRECTIVE, skill="ATM2", wait_s=wait_s, verify_hold_s=HOLD_S),
    )


class House:
    """Maintenance with its hands on the clock."""

    def __init__(self, database: Database) -> None:
        self.clock = ManualClock(NOW)
        self.database = database
        self.log = EventLog(database, self.clock)
        self.orders = WorkOrders(database, self.log, self.clock)
        self.intake = FaultIntake(self.orders, self.log, self.clock)
        self.verification = Verification(self.orders, self.clock, VerificationBounds(longest_wait_ms=1_800_000))
        self.offers = Offers(self.orders, self.clock, timeout_ms=300_000)
        self.consumer = Consumer(CONSUMER, EVENT_TYPES, self.intake.handle, database, self.log)

    async def happens(self, event: FaultEvent, type_: FaultEventType = FaultEventType.RAISED) -> None:
        async with self.database.write() as connection:
            await self.log.append(connection, type_, f"fault/{event.fault_id}", event)
        await self.consumer.start()
        while await self.consumer.step():
            pass

    async def clears(self, event: FaultEvent) -> None:
        await self.happens(event, FaultEventType.CLEARED)

    async def tick(self, seconds: float = 0) -> None:
        self.clock.advance(round(seconds * 1000))
        async with self.database.write() as connection:
            await self.intake.open_due(connection)
            await self.offers.step(connection)
            await self.verification.step(connection)

    async def only(self) -> WorkOrder:
        (order,) = await self.orders.list()
        return order

    async def do(self, *commands: Command) -> WorkOrder:
        order = await self.only()
        for command in commands:
            order = await self.orders.command(
                order.id, CommandRequest(command=command, assignee="li.wei", reason="because"), "noc"
            )
        return order

    async def repair(self) -> WorkOrder:
        return await self.do(
            Command.TRIAGE, Command.OFFER, Command.ACCEPT, Command.DEPART, Command.ARRIVE, Command.REPAIR
        )


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def test_a_fault_opens_one_order_with_what_the_technician_needs(house: House) -> None:
    await house.happens(fault(1))
    order = await house.only()
    assert (order.number, order.state, order.device_id, order.component, order.family, order.skill) == (
        "WO-000001", State.NEW, "BR0001/atm-01", "cdm", "jam", "ATM2",
    )  # fmt: skip
    assert order.title_zh == "出钞卡钞"


async def test_further_faults_of_the_same_kind_join_the_open_order(house: House) -> None:
    await house.happens(fault(1))
    await house.happens(fault(2, severity=Severity.CRITICAL))
    order = await house.only()
    assert (order.fault_count, order.severity) == (2, Severity.CRITICAL)
    assert await house.orders.faults(order.id) == [1, 2]


async def test_other_devices_and_families_get_orders_of_their_own(house: House) -> None:
    for number, event in enumerate([fault(1), fault(2, device="BR0001/atm-02"), fault(3, family="cash")], 1):
        await house.happens(event)
        assert len(await house.orders.list()) == number


async def test_a_fault_that_clears_within_its_wait_opens_nothing(house: House) -> None:
    await house.happens(fault(1, wait_s=600))
    await house.tick(599)
    await house.clears(fault(1))
    await house.tick(60)
    assert await house.orders.list() == []


async def test_a_fault_that_outlasts_its_wait_opens_an_order(house: House) -> None:
    await house.happens(fault(1, wait_s=600))
    assert await house.orders.list() == []
    await house.tick(600)
    await house.tick(1)
    assert (await house.only()).state is State.NEW


async def test_a_repair_closes_when_telemetry_stayed_clear_for_the_hold_time(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    assert (await house.only()).state is State.VERIFYING
    await house.clears(fault(1))
    await house.tick(HOLD_S - 1)
    assert (await house.only()).state is State.VERIFYING
    await house.tick(1)
    order = await house.only()
    assert order.state is State.CLOSED
    assert order.closed_at_ms == house.clock.now_ms()


async def test_a_fault_that_ended_with_its_rule_proves_no_repair(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    await house.clears(fault(1).model_copy(update={"reason": EndReason.RULE_REMOVED}))
    await house.tick(HOLD_S)
    assert (await house.only()).state is State.VERIFYING


async def test_a_fault_that_never_clears_sends_the_order_back_by_itself(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    await house.tick(1800)
    order = await house.only()
    assert (order.state, order.assignee) == (State.ON_SITE, "li.wei")


async def test_a_fault_that_comes_back_during_verification_sends_the_order_back_at_once(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    await house.clears(fault(1))
    await house.happens(fault(2))
    order = await house.only()
    assert (order.state, order.fault_count) == (State.ON_SITE, 2)


async def test_an_offer_nobody_answers_goes_back_to_the_dispatcher(house: House) -> None:
    await house.happens(fault(1))
    await house.do(Command.TRIAGE, Command.OFFER)
    await house.tick(299)
    assert (await house.only()).state is State.OFFERED
    await house.tick(1)
    order = await house.only()
    assert (order.state, order.assignee) == (State.TRIAGED, "")
    assert (await house.orders.history(order.id))[-1].data["note"] == "no answer from li.wei"


async def test_an_accepted_offer_does_not_expire(house: House) -> None:
    await house.happens(fault(1))
    await house.do(Command.TRIAGE, Command.OFFER, Command.ACCEPT)
    await house.tick(3600)
    assert (await house.only()).state is State.ACCEPTED


async def test_a_latched_fault_that_comes_back_after_its_order_ended_opens_another(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    await house.do(Command.OVERRIDE_VERIFICATION)
    await house.happens(fault(1), FaultEventType.REACTIVATED)
    newer, older = await house.orders.list()
    assert (newer.state, older.state) == (State.NEW, State.CLOSED)
    assert await house.orders.faults(newer.id) == [1]


async def test_a_latched_fault_that_comes_back_counts_once_in_its_open_order(house: House) -> None:
    await house.happens(fault(1))
    await house.happens(fault(1), FaultEventType.REACTIVATED)
    assert (await house.only()).fault_count == 1


async def test_a_latched_fault_that_comes_back_during_verification_fails_it(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    await house.happens(fault(1), FaultEventType.REACTIVATED)
    assert (await house.only()).state is State.ON_SITE


async def test_an_order_is_reopened_within_three_days_only(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    await house.clears(fault(1))
    await house.tick(HOLD_S)
    house.clock.advance(3 * 86_400_000)
    assert (await house.do(Command.REOPEN)).state is State.TRIAGED
    await house.do(Command.FIX_REMOTELY)
    await house.tick(HOLD_S)
    house.clock.advance(3 * 86_400_000 + 1)
    with pytest.raises(TooLateToReopen, match="WO-000001 was closed more than 3 days ago"):
        await house.do(Command.REOPEN)


async def test_a_command_sent_twice_has_one_effect(house: House) -> None:
    await house.happens(fault(1))
    order = await house.only()
    request = CommandRequest(command=Command.TRIAGE, command_id="phone-1-0001", expected_revision=1)
    first = await house.orders.command(order.id, request, "noc")
    second = await house.orders.command(order.id, request, "noc")
    assert first == second
    assert first.revision == 2


async def test_a_command_id_stands_for_one_command_only(house: House) -> None:
    await house.happens(fault(1))
    order = await house.only()
    await house.orders.command(order.id, CommandRequest(command=Command.TRIAGE, command_id="phone-1-0001"), "noc")
    with pytest.raises(CommandIdReused, match="already stands for triage of WO-000001"):
        await house.orders.command(
            order.id, CommandRequest(command=Command.CANCEL, reason="x", command_id="phone-1-0001"), "noc"
        )


async def test_a_command_on_an_old_revision_is_refused(house: House) -> None:
    await house.happens(fault(1))
    await house.do(Command.TRIAGE)
    with pytest.raises(RevisionConflict, match="at revision 2, the command expected 1"):
        await house.orders.command(1, CommandRequest(command=Command.OFFER, assignee="a", expected_revision=1), "noc")


async def test_an_order_that_does_not_exist_is_named(house: House) -> None:
    with pytest.raises(NotFound, match="WO-000404"):
        await house.orders.command(404, CommandRequest(command=Command.TRIAGE), "noc")


async def test_an_order_cannot_be_reopened_beside_a_newer_open_one(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    await house.clears(fault(1))
    await house.tick(HOLD_S)
    await house.happens(fault(2))
    with pytest.raises(OpenOrderExists, match="WO-000002 is open"):
        await house.orders.command(1, CommandRequest(command=Command.REOPEN, reason="again"), "noc")


async def test_the_history_says_who_moved_the_order_from_where_to_where(house: House) -> None:
    await house.happens(fault(1))
    await house.do(Command.TRIAGE)
    opened, moved = await house.orders.history(1)
    assert (opened.type, opened.actor) == ("work_order.opened", "system")
    assert (moved.type, moved.actor, moved.data["previous"], moved.data["state"], moved.data["note"]) == (
        "work_order.moved", "noc", "new", "triaged", "because",
    )  # fmt: skip


async def test_the_database_refuses_a_second_open_order_even_where_nobody_looked(house: House) -> None:
    """What two processes do that look at the same moment: both find nothing, both insert."""

    async def open_without_looking(event: FaultEvent) -> None:
        async with house.database.write() as connection:
            await house.intake._open(connection, event)

    await open_without_looking(fault(1))
    with pytest.raises(OpenOrderExists, match="BR0001/atm-01 cdm jam"):
        await open_without_looking(fault(2))
    assert len(await house.orders.list()) == 1


async def test_the_services_open_and_verify_by_themselves(database: Database) -> None:
    clock = ManualClock(NOW)
    log = EventLog(database, clock)
    maintenance = Maintenance(MaintenanceSettings(tick_s=0.05), database, log, clock)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        tasks = []
        for service in maintenance.services():
            await service.start()
            tasks.append(group.create_task(service.run()))
        async with database.write() as connection:
            await log.append(connection, FaultEventType.RAISED, "fault/1", fault(1, wait_s=1))
        await log.announce()
        clock.advance(2000)
        while not (orders := await maintenance.work_orders.list()):
            await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
    assert orders[0].state is State.NEW


async def test_a_person_cannot_close_what_telemetry_has_not_verified(house: House) -> None:
    await house.happens(fault(1))
    await house.repair()
    await house.tick(1)
    with pytest.raises(CommandNotAllowed):
        await house.do(Command.CONFIRM)
    assert (await house.do(Command.OVERRIDE_VERIFICATION)).state is State.CLOSED


MOMENTS = st.one_of(st.none(), st.integers(0, 10_000))


@given(st.lists(MOMENTS, min_size=1, max_size=5), st.integers(0, 10_000), st.integers(0, 5000), st.integers(0, 20_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_order_is_confirmed_only_when_every_fault_stayed_clear(
    faults: list[int | None], since: int, hold: int, waited: int
) -> None:
    now = since + waited
    verdict = judge(faults, since, hold, VerificationBounds(longest_wait_ms=15_000), now)
    steady = all(moment is not None and now - max(since, moment) >= hold for moment in faults)
    assert (verdict is Verdict.HOLDS) == steady
    if None in faults:
        assert (verdict is Verdict.NEVER_CLEARED) == (waited >= 15_000)
