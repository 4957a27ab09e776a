"""The driver against the simulated self-service terminal: every module in every vendor's manner."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from contracts.devices import SELF_SERVICE_TERMINAL
from contracts.errors import DeviceUnreachable
from gateway.drivers.xfs4iot import Settings, create
from runtime.clock import SystemClock
from simulators.terminal import Quirks, TerminalSimulator
from simulators.world import World
from tests.gateway.xfs4iot.scripted_machine import Recorder
from tests.protocols.test_xfs4iot import NIGHT, QUIRKS, SEEN_WITHIN_S

WHOLE: dict[str, float | str] = {
    "idc/media": "notPresent",
    "idc/stock1/replenishment": "ok",
    "idc/retain1/count": 0.0,
    "idr/device": "online",
    "idr/media": "notPresent",
    "pin/encryption_state": "ready",
    "prr/upper/paper": "full",
    "prr/retract1/replenishment": "ok",
    "prp/media": "notPresent",
    "prp/ink": "full",
    "scn/media": "notPresent",
    "bcr/device": "online",
    "bio/subject": "notPresent",
    "cam/person/state": "ok",
    "aux/cabinet_door": "closed",
    "ups/source": "normal",
    "ups/battery": "normal",
    "vdm/service": "inactive",
    "link/services_missing": 0,
}
FAILURES: dict[str, dict[str, float | str]] = {
    "passbook_jam": {"prp/media": "jammed", "prp/errors": 1},
    "ribbon_low": {"prp/ink": "low"},
    "scanner_fault": {"scn/device": "hardwareError"},
    "code_scanner_fault": {"bcr/scanner": "inoperative"},
    "card_stock_low": {"idc/stock1/replenishment": "low"},
    "retain_bin_full": {"idc/retain1/replenishment": "full", "idc/retained": 40},
    "card_jam": {"idc/media": "jammed"},
    "id_card_jam": {"idr/media": "jammed", "idr/errors": 1},
    "skimmer": {"idc/anti_fraud": "deviceDetected"},
    "epp_tamper": {"pin/encryption_state": "notInitialized"},
    "paper_out": {"prr/upper/paper": "out"},
    "receipt_jam": {"prr/media": "jammed"},
    "display_error": {"aux/consumer_display": "displayError"},
    "cabinet_open": {"aux/cabinet_door": "open"},
    "mains_failure": {"ups/source": "battery"},
    "forgotten_mode": {"vdm/service": "active"},
}
"""Failure of the simulated terminal → what has to be seen of it."""


@asynccontextmanager
async def watched(quirks: Quirks) -> AsyncIterator[tuple[TerminalSimulator, Recorder]]:
    """A terminal without customers, alive, and the driver connected to all of it."""
    terminal = TerminalSimulator(
        "sst-01",
        World(seed=7, begin_at=NIGHT),
        0,
        0,
        quirks=quirks,
        sessions_per_day=1,
        answer_median_s=0.005,
        work_step_s=0.02,
    )
    await terminal.start()
    sink = Recorder()
    settings = Settings(
        host="127.0.0.1",
        ports=(terminal.port,),
        tls=False,
        poll_s=2.0,
        retry_first_s=0.1,
        retry_most_s=0.5,
        components={"IdCardReader1": "idr"},
    )
    tasks = [
        asyncio.create_task(terminal.run(), name="terminal"),
        asyncio.create_task(create(settings, SELF_SERVICE_TERMINAL, SystemClock()).run(sink), name="driver"),
    ]
    try:
        await sink.until("link/state", "up", timeout_s=SEEN_WITHIN_S)
        yield terminal, sink
    finally:
        for task in reversed(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError, DeviceUnreachable):
                await task
        await terminal.stop()


@pytest.mark.parametrize("quirks", QUIRKS.values(), ids=QUIRKS)
async def test_a_terminal_is_read_whole_and_all_that_fails_is_seen(quirks: Quirks) -> None:
    async with watched(quirks) as (terminal, sink):
        for path, value in WHOLE.items():
            await sink.until(path, value, timeout_s=SEEN_WITHIN_S)
        for failure in FAILURES:
            await terminal.inject(failure)
        for seen in FAILURES.values():
            for path, value in seen.items():
                await sink.until(path, value, timeout_s=SEEN_WITHIN_S)
        assert str(sink.last("prp/error")).startswith("hardware/clear: ")
        unlisted = [
            item
            for item in sink.seen
            if (row := SELF_SERVICE_TERMINAL.signal(item.path)) and row.states and row.ordinal(str(item.value)) is None
        ]
        assert unlisted == []
        assert sink.refused == []


async def test_a_repair_of_the_terminal_is_seen() -> None:
    async with watched(QUIRKS["newest"]) as (terminal, sink):
        await terminal.inject("passbook_jam")
        await sink.until("prp/media", "jammed", timeout_s=SEEN_WITHIN_S)
        await terminal.repair("passbook_jam")
        await sink.until("prp/media", "notPresent", timeout_s=SEEN_WITHIN_S)
        await terminal.inject("service_crash")
        await sink.until("link/state", "degraded", timeout_s=SEEN_WITHIN_S)
        await terminal.repair("service_crash")
        await sink.until("link/state", "up", timeout_s=SEEN_WITHIN_S)
