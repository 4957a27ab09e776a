"""The intake against what a hostile device can say: nothing of it may end a gateway or spoil what it sends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from contracts.devices import ATM
from contracts.errors import DeviceMisbehaved
from contracts.gateway_messages import DeviceEntry, Inventory, parse_inventory
from gateway.connection import Connection
from gateway.driver import Identity, Observation
from gateway.intake import DeviceIntake
from gateway.links import Links
from gateway.metrics import GatewayMetrics
from gateway.outbox import Outbox
from gateway.refused import RefusedInputs
from runtime.clock import SystemClock
from tests.gateway.core.wire import BRANCH, new_outbox

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)  # lone surrogates and control characters, too
KEPT = HealthCheck.function_scoped_fixture  # one outbox for all examples is as a gateway has it


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    made = new_outbox(tmp_path / "outbox.db")
    await made.start()
    yield made
    await made.stop()


def sink_of(outbox: Outbox, refused: RefusedInputs, driver: str = "xfs", *, holds: bool = False) -> Connection:
    entry = DeviceEntry(id="atm-01", kind="atm", driver=driver)
    intake = DeviceIntake(BRANCH, entry, ATM, outbox, SystemClock())
    metrics = GatewayMetrics(CollectorRegistry())
    return Connection(intake, driver, Links(), refused, SystemClock(), metrics, holds=holds)


@settings(max_examples=60, deadline=None, suppress_health_check=[KEPT])
@given(serial=ANY_TEXT, path=ANY_TEXT, value=ANY_TEXT, detail=ANY_TEXT, raw=st.one_of(ANY_TEXT, st.binary()))
async def test_whatever_a_device_says_the_gateway_can_store_and_the_collector_can_read(
    outbox: Outbox, serial: str, path: str, value: str, detail: str, raw: str | bytes
) -> None:
    refused = RefusedInputs()
    sink = sink_of(outbox, refused)
    await sink.identify(Identity(serial=serial))
    await sink.observe([Observation(path, value), Observation("cdm/error", value), Observation("cdm/dispenser", value)])
    sink.refuse(raw, DeviceMisbehaved(detail))
    await refused.flush(outbox)
    gateway = DeviceEntry(id="gateway", kind="gateway", driver="gateway")
    said = Inventory(branch_id=BRANCH, devices=(gateway,)).model_copy(update={"devices": (gateway, sink.intake.entry)})
    assert parse_inventory(said.model_dump_json().encode(), BRANCH).devices[1] == sink.intake.entry


async def test_what_is_kept_is_there_in_the_next_life_and_only_for_the_same_driver(outbox: Outbox) -> None:
    first = sink_of(outbox, RefusedInputs())
    await first.observe([Observation("cdm/error", "jam")], {"taken": "1", "gone": "2"})
    await first.observe([], {"gone": None})
    assert await sink_of(outbox, RefusedInputs()).recall() == {"taken": "1"}
    assert await sink_of(outbox, RefusedInputs(), "dc09").recall() == {}
