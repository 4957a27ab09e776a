"""The driver against the simulated ATM: two readings of one protocol description have to meet."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime

import pytest

from contracts.devices import ATM
from contracts.errors import DeviceUnreachable
from contracts.signals import Presence, Sort
from gateway.drivers.xfs4iot import Settings, create
from runtime.clock import SystemClock
from simulators.atm import AtmSimulator, Dialect, Quirks
from simulators.world import CHINA, World
from tests.gateway.xfs4iot.scripted_machine import Recorder

QUIRKS = {
    "newest": Quirks(),
    "message format 1": Quirks(message_major=1),
    "message format 1 without versions": Quirks(message_major=1, version_missing=True),
    "message format 2": Quirks(message_major=2),
    "a widespread framework": Quirks.of(Dialect.KAL),
    "slash at the end": Quirks(trailing_slash=True),
    "capital letters": Quirks(capital_enums=True),
    "capital letters in format 1": Quirks(message_major=1, capital_enums=True),
    "unsolicited messages typed event": Quirks(message_major=2, event_typed_unsolicited=True),
    "more than the standard has": Quirks(extra_properties=True),
    "several majors, lowest first": Quirks(lowest_version_first=True),
    "services told by events": Quirks(services_by_event=True),
    "all of them": Quirks(
        trailing_slash=True,
        capital_enums=True,
        event_typed_unsolicited=True,
        extra_properties=True,
        success_spelt_out=True,
        camel_case_interfaces=True,
        lowest_version_first=True,
        services_by_event=True,
    ),
}
MAJORS = [QUIRKS["message format 1"], QUIRKS["message format 2"], QUIRKS["newest"]]
NIGHT = datetime(2026, 11, 23, 3, 0, tzinfo=CHINA)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=CHINA)

JAM_SEEN_WITHIN_S = 2.0
SEEN_WITHIN_S = 15.0
FAILURES: dict[str, dict[str, float | str]] = {
    "note_jam": {"cdm/transport": "inoperative", "cdm/dispenser": "stop"},
    "shutter_jam": {"cdm/shutter": "jammedClosed"},
    "cassette_not_seated": {"cdm/unit2/status": "missing"},
    "card_jam": {"idc/media": "jammed"},
    "skimmer": {"idc/anti_fraud": "deviceDetected"},
    "retain_bin_full": {"idc/retain1/replenishment": "full", "idc/retained": 40.0},
    "epp_tamper": {"pin/device": "hardwareError", "pin/encryption_state": "notInitialized"},
    "paper_low": {"prr/upper/paper": "low"},
    "receipt_jam": {"prr/media": "jammed"},
    "safe_open": {"aux/safe_door": "open"},
    "display_error": {"aux/consumer_display": "displayError"},
    "camera_dead": {"cam/person/state": "inop"},
    "recording_full": {"cam/room/media": "full"},
    "mains_failure": {"ups/source": "battery"},
    "forgotten_mode": {"vdm/service": "active", "vdm/access_level": "full"},
}
"""Failure of the simulated machine → what has to be seen of it."""


def simulated(quirks: Quirks, *, busy: bool = False, recycler: bool = False) -> AtmSimulator:
    """A machine without customers, or with one after the other."""
    return AtmSimulator(
        "atm-01",
        World(seed=7, pace=60.0 if busy else 1.0, begin_at=NOON if busy else NIGHT),
        0,
        quirks=quirks,
        recycler=recycler,
        transactions_per_day=8000 if busy else 1,
        answer_median_s=0.005,
        hardware_error_share=0.0,
        work_step_s=0.02,
    )


@asynccontextmanager
async def watched(atm: AtmSimulator, sink: Recorder | None = None) -> AsyncIterator[Recorder]:
    """The machine alive, and the driver connected to all of it."""
    await atm.start()
    try:
        async with alive(atm), driven(atm, sink or Recorder()) as recorder:
            yield recorder
    finally:
        await atm.stop()


@asynccontextmanager
async def alive(atm: AtmSimulator) -> AsyncIterator[None]:
    """The life of the machine."""
    life = asyncio.create_task(atm.run(), name="machine")
    try:
        yield
    finally:
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life


@asynccontextmanager
async def driven(atm: AtmSimulator, sink: Recorder) -> AsyncIterator[Recorder]:
    """A life of the driver."""
    settings = Settings(host="127.0.0.1", ports=(atm.port,), tls=False, poll_s=2.0, retry_first_s=0.1, retry_most_s=0.5)
    run = asyncio.create_task(create(settings, ATM, SystemClock()).run(sink), name="driver")
    try:
        await sink.until("link/state", "up", timeout_s=SEEN_WITHIN_S)
        await sink.until("cdm/unit3/status", "ok", timeout_s=SEEN_WITHIN_S)
        await sink.until("vdm/service", "inactive", timeout_s=SEEN_WITHIN_S)
        yield sink
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError, DeviceUnreachable):
            await run


async def eventually(met: Callable[[], bool], what: Callable[[], str], timeout_s: float) -> None:
    """Wait until the driver has caught up with the machine."""
    deadline = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("quirks", QUIRKS.values(), ids=QUIRKS)
async def test_a_machine_is_read_whole_and_all_that_fails_is_seen(quirks: Quirks) -> None:
    atm = simulated(quirks)
    async with watched(atm) as sink:
        for path, word in (
            ("idc/retain1/status", "ok"),
            ("prr/upper/paper", "full"),
            ("pin/encryption_state", "ready"),
            ("aux/cabinet_door", "closed"),
        ):
            await sink.until(path, word, timeout_s=SEEN_WITHIN_S)
        paths = {item.path for item in sink.seen}
        silent = {
            row.path
            for row in ATM.signals
            if row.presence is Presence.ALWAYS and row.sort is not Sort.EVENT and "{" not in row.path
        } - paths
        assert silent <= {"link/round_trip"}
        assert len(sink.identities) == 1
        assert all((sink.identities[0].maker, sink.identities[0].model, sink.identities[0].serial))
        for failure in FAILURES:
            await atm.inject(failure)
        for seen in FAILURES.values():
            for path, value in seen.items():
                await sink.until(path, value, timeout_s=SEEN_WITHIN_S)
        assert "hardware/clear: note jam" in str([item.value for item in sink.seen if item.path == "cdm/error"])
        assert sink.last("pin/illegal_key_access") is not None
        unlisted = [
            item
            for item in sink.seen
            if (row := ATM.signal(item.path)) and row.states and row.ordinal(str(item.value)) is None
        ]
        assert unlisted == []
        assert sink.refused == []


@pytest.mark.parametrize("quirks", MAJORS)
async def test_a_note_jam_is_seen_in_time_and_its_repair_too(quirks: Quirks) -> None:
    atm = simulated(quirks)
    async with watched(atm) as sink:
        began = time.monotonic()
        await atm.inject("note_jam")
        await sink.until("cdm/transport", "inoperative")
        await sink.until("cdm/dispenser", "stop")
        assert time.monotonic() - began < JAM_SEEN_WITHIN_S
        await sink.until("cdm/errors", atm.witness.errors)
        repair = asyncio.create_task(atm.repair("note_jam"))
        await sink.until("vdm/service", "active", timeout_s=SEEN_WITHIN_S)
        await repair
        await sink.until("cdm/transport", "ok", timeout_s=SEEN_WITHIN_S)
        await sink.until("cdm/dispenser", "ok", timeout_s=SEEN_WITHIN_S)
        await sink.until("vdm/service", "inactive", timeout_s=SEEN_WITHIN_S)
        assert sink.refused == []


@pytest.mark.parametrize("quirks", MAJORS)
async def test_withdrawals_take_a_cassette_below_its_threshold_and_an_exchange_refills_it(quirks: Quirks) -> None:
    atm = simulated(quirks)
    async with watched(atm) as sink:
        await sink.until("cdm/unit1/replenishment", "ok")
        dispensed = sink.last("cdm/unit1/dispensed")
        await atm.inject("run_low")
        await sink.until("cdm/unit1/replenishment", "low", timeout_s=SEEN_WITHIN_S)
        threshold = sink.last("cdm/unit1/low_threshold")
        await eventually(
            lambda: float(sink.last("cdm/unit1/count") or 0) < float(threshold or 0),
            lambda: f"count {sink.last('cdm/unit1/count')}, threshold {threshold}",
            timeout_s=SEEN_WITHIN_S,
        )
        await atm.repair("run_low")
        await sink.until("cdm/unit1/replenishment", "ok", timeout_s=SEEN_WITHIN_S)
        await sink.until("cdm/exchange", "inactive", timeout_s=SEEN_WITHIN_S)
        assert "active" in [item.value for item in sink.seen if item.path == "cdm/exchange"]
        counted = [item.value for item in sink.seen if item.path == "cdm/unit1/dispensed"]
        assert counted == sorted(counted, key=float)
        assert float(counted[-1]) > float(dispensed or 0)
        assert sink.refused == []


def counted(sink: Recorder) -> tuple[float, float]:
    """Notes and presentations as the driver counts them."""
    return float(sink.last("cdm/notes_dispensed") or 0), float(sink.last("cdm/presents") or 0)


@pytest.mark.parametrize("quirks", MAJORS)
async def test_counters_agree_with_what_really_happened_even_over_a_restart_of_the_gateway(quirks: Quirks) -> None:
    atm = simulated(quirks, busy=True)
    await atm.start()
    try:
        async with AsyncExitStack() as life:
            first = Recorder()
            async with driven(atm, first):
                begun, notes_before = atm.witness, counted(first)[0]
                await life.enter_async_context(alive(atm))  # customers come now, so that none is in between
                await eventually(
                    lambda: atm.witness.presents >= begun.presents + 2 and counted(first)[1] > 0,
                    lambda: f"too few customers: {atm.witness}",
                    timeout_s=30,
                )
            down = atm.witness
            await eventually(
                lambda: atm.witness.presents > down.presents,
                lambda: f"no customer while the gateway was down: {atm.witness}",
                timeout_s=30,
            )
            second = Recorder()
            second.memory = dict(first.memory)
            async with driven(atm, second):
                await eventually(
                    lambda: counted(second)[0] == notes_before + atm.witness.notes_presented - begun.notes_presented,
                    lambda: f"{counted(second)} from {begun}, now {atm.witness}",
                    timeout_s=30,
                )
            for sink in (first, second):
                dispensed = [item.value for item in sink.seen if item.path == "cdm/notes_dispensed"]
                assert dispensed == sorted(dispensed, key=float)
                assert sink.refused == []
    finally:
        await atm.stop()


@pytest.mark.parametrize("quirks", MAJORS)
async def test_a_recycler_is_seen_as_dispenser_and_acceptor(quirks: Quirks) -> None:
    atm = simulated(quirks, recycler=True)
    async with watched(atm) as sink:
        await sink.until("cim/acceptor", "ok", timeout_s=SEEN_WITHIN_S)
        await sink.until("cdm/dispenser", "ok", timeout_s=SEEN_WITHIN_S)
        await atm.inject("deposit_jam")
        await atm.inject("validator_dead")
        await sink.until("cim/transport", "inoperative", timeout_s=SEEN_WITHIN_S)
        await sink.until("cim/banknote_reader", "inoperable", timeout_s=SEEN_WITHIN_S)
        await sink.until("cim/acceptor", "stop", timeout_s=SEEN_WITHIN_S)
        assert sink.refused == []


@pytest.mark.parametrize(("failure", "quirks"), [("service_crash", MAJORS[0]), ("service_crash", MAJORS[2])])
async def test_a_crashed_service_degrades_the_link_until_it_is_back(failure: str, quirks: Quirks) -> None:
    atm = simulated(quirks)
    async with watched(atm) as sink:
        await atm.inject(failure)
        await sink.until("link/state", "degraded", timeout_s=SEEN_WITHIN_S)
        assert sink.last("link/services_missing") == 1
        await atm.inject("note_jam")
        await sink.until("cdm/transport", "inoperative", timeout_s=SEEN_WITHIN_S)
        await atm.repair(failure)
        await sink.until("link/state", "up", timeout_s=SEEN_WITHIN_S)
        assert sink.last("link/services_missing") == 0
