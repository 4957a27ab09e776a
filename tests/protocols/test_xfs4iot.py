"""The driver against the simulated ATM: two readings of one protocol description have to meet."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from contracts.devices import ATM
from contracts.errors import DeviceUnreachable
from contracts.signals import Presence, Sort
from gateway.drivers.xfs4iot import Settings, create
from runtime.clock import SystemClock
from simulators.atm import AtmSimulator, Dialect
from simulators.world import World
from tests.gateway.xfs4iot.scripted_machine import Recorder

FORMATS = [(1, Dialect.STANDARD), (2, Dialect.STANDARD), (3, Dialect.STANDARD), (3, Dialect.KAL)]
JAM_SEEN_WITHIN_S = 2.0
FAILURES = {
    "card_jam": ("idc/media", "jammed", "notPresent"),
    "shutter_jam": ("cdm/shutter", "jammedClosed", "closed"),
    "paper_low": ("prr/upper/paper", "low", "full"),
    "receipt_jam": ("prr/media", "jammed", "notPresent"),
}
"""Failure of the simulated machine → signal, its word while broken, its word when whole."""


def simulated(major: int, dialect: Dialect, *, busy: bool = False) -> AtmSimulator:
    """A machine without customers, or with one after the other."""
    return AtmSimulator(
        "atm-01",
        World(seed=7, pace=60.0 if busy else 1.0),
        0,
        message_major=major,
        dialect=dialect,
        transactions_per_day=8000 if busy else 1,
        answer_median_s=0.005,
        hardware_error_share=0.0,
    )


@asynccontextmanager
async def watched(atm: AtmSimulator) -> AsyncIterator[Recorder]:
    """The machine alive, and the driver connected to all of it."""
    await atm.start()
    sink = Recorder()
    settings = Settings(host="127.0.0.1", ports=(atm.port,), tls=False, retry_first_s=0.1, retry_most_s=0.5)
    tasks = [
        asyncio.create_task(atm.run(), name="machine"),
        asyncio.create_task(create(settings, ATM, SystemClock()).run(sink), name="driver"),
    ]
    try:
        await sink.until("link/state", "up", timeout_s=10)
        await sink.until("cdm/unit4/status", "ok", timeout_s=10)
        await sink.until("vdm/service", "inactive", timeout_s=10)
        yield sink
    finally:
        for task in reversed(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError, DeviceUnreachable):
                await task
        await atm.stop()


async def eventually(met: Callable[[], bool], what: Callable[[], str], timeout_s: float) -> None:
    """Wait until the driver has caught up with the machine."""
    deadline = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("major", "dialect"), FORMATS)
async def test_a_machine_is_read_whole_and_nothing_is_refused(major: int, dialect: Dialect) -> None:
    async with watched(simulated(major, dialect)) as sink:
        await sink.until("idc/retain1/status", "ok")
        await sink.until("prr/upper/paper", "full")
        await sink.until("pin/encryption_state", "ready")
        await sink.until("aux/cabinet_door", "closed")
        paths = {item.path for item in sink.seen}
        silent = {
            row.path
            for row in ATM.signals
            if row.presence is Presence.ALWAYS and row.sort is not Sort.EVENT and "{" not in row.path
        } - paths
        assert silent <= {"link/round_trip"}
        assert len(sink.identities) == 1
        assert all((sink.identities[0].maker, sink.identities[0].model, sink.identities[0].serial))
        words = [(item.path, item.value) for item in sink.seen if isinstance(item.value, str)]
        unlisted = [
            (path, word)
            for path, word in words
            if (row := ATM.signal(path)) and row.states and row.ordinal(word) is None
        ]
        assert unlisted == []
        assert sink.refused == []


@pytest.mark.parametrize(("major", "dialect"), FORMATS)
async def test_a_note_jam_is_seen_in_time_and_its_repair_too(major: int, dialect: Dialect) -> None:
    atm = simulated(major, dialect)
    async with watched(atm) as sink:
        began = time.monotonic()
        await atm.inject("note_jam")
        await sink.until("cdm/transport", "inoperative")
        await sink.until("cdm/dispenser", "stop")
        assert time.monotonic() - began < JAM_SEEN_WITHIN_S
        await sink.until("cdm/errors", atm.witness.errors)
        assert str(sink.last("cdm/error")).startswith("hardware/clear: ")
        repair = asyncio.create_task(atm.repair("note_jam"))
        await sink.until("vdm/service", "active", timeout_s=10)
        await repair
        await sink.until("cdm/transport", "ok")
        await sink.until("cdm/dispenser", "ok")
        await sink.until("vdm/service", "inactive")
        assert sink.refused == []


@pytest.mark.parametrize(("major", "dialect"), FORMATS)
async def test_all_that_fails_at_once_is_seen_in_time(major: int, dialect: Dialect) -> None:
    atm = simulated(major, dialect)
    async with watched(atm) as sink:
        began = time.monotonic()
        for failure in FAILURES:
            await atm.inject(failure)
        for path, broken, _ in FAILURES.values():
            await sink.until(path, broken)
        assert time.monotonic() - began < JAM_SEEN_WITHIN_S
        assert sink.refused == []


@pytest.mark.parametrize(("failure", "format_"), list(zip(FAILURES, FORMATS, strict=True)))
async def test_a_repair_is_seen(failure: str, format_: tuple[int, Dialect]) -> None:
    path, broken, whole = FAILURES[failure]
    atm = simulated(*format_)
    async with watched(atm) as sink:
        await atm.inject(failure)
        await sink.until(path, broken)
        await atm.repair(failure)
        await sink.until(path, whole)
        assert sink.refused == []


@pytest.mark.parametrize(("major", "dialect"), FORMATS[:3])
async def test_withdrawals_take_a_cassette_below_its_threshold_and_an_exchange_refills_it(
    major: int, dialect: Dialect
) -> None:
    atm = simulated(major, dialect)
    async with watched(atm) as sink:
        await sink.until("cdm/unit1/replenishment", "ok")
        dispensed = sink.last("cdm/unit1/dispensed")
        await atm.inject("run_low")
        await sink.until("cdm/unit1/replenishment", "low", timeout_s=15)
        threshold = sink.last("cdm/unit1/low_threshold")
        await eventually(
            lambda: float(sink.last("cdm/unit1/count") or 0) < float(threshold or 0),
            lambda: f"count {sink.last('cdm/unit1/count')}, threshold {threshold}",
            timeout_s=5,
        )
        await atm.repair("run_low")
        await sink.until("cdm/unit1/replenishment", "ok")
        await sink.until("cdm/exchange", "inactive")
        assert "active" in [item.value for item in sink.seen if item.path == "cdm/exchange"]
        counted = [item.value for item in sink.seen if item.path == "cdm/unit1/dispensed"]
        assert counted == sorted(counted, key=float)
        assert float(counted[-1]) > float(dispensed or 0)
        assert sink.refused == []


@pytest.mark.parametrize(("major", "dialect"), FORMATS[:3])
async def test_counters_agree_with_what_really_happened(major: int, dialect: Dialect) -> None:
    atm = simulated(major, dialect, busy=True)
    async with watched(atm) as sink:
        before = (
            replace(atm.witness),
            float(sink.last("cdm/notes_dispensed") or 0),
            float(sink.last("cdm/presents") or 0),
        )
        await eventually(
            lambda: atm.witness.presents >= before[0].presents + 3,
            lambda: f"too few customers: {atm.witness}",
            timeout_s=30,
        )

        def agrees() -> bool:
            notes = atm.witness.notes_presented - before[0].notes_presented
            presents = atm.witness.presents - before[0].presents
            return (sink.last("cdm/notes_dispensed"), sink.last("cdm/presents")) == (
                before[1] + notes,
                before[2] + presents,
            )

        await eventually(
            agrees,
            lambda: f"{sink.last('cdm/notes_dispensed')} {sink.last('cdm/presents')} from {before}, now {atm.witness}",
            timeout_s=10,
        )
        assert sink.refused == []


@pytest.mark.parametrize(("major", "dialect"), [FORMATS[0], FORMATS[2]])
async def test_a_crashed_service_degrades_the_link_until_it_is_back(major: int, dialect: Dialect) -> None:
    atm = simulated(major, dialect)
    async with watched(atm) as sink:
        await atm.inject("service_crash")
        await sink.until("link/state", "degraded")
        assert sink.last("link/services_missing") == 1
        await atm.inject("note_jam")
        await sink.until("cdm/transport", "inoperative", timeout_s=JAM_SEEN_WITHIN_S)
        await atm.repair("service_crash")
        await sink.until("link/state", "up", timeout_s=10)
        assert sink.last("link/services_missing") == 0
