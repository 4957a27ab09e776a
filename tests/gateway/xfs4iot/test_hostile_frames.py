"""Frames nobody should send: nothing is raised, nothing grows."""

import asyncio
import json
import tracemalloc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DeviceMisbehaved
from gateway.drivers.xfs4iot.envelope import parse_message
from gateway.drivers.xfs4iot.mapping_events import FIXED, READ
from tests.gateway.xfs4iot.test_mapping_events import Answers, Bench

WORDS = st.sampled_from([
    "common", "cashDispenser", "cashManagement", "cardReader", "printer", "auxiliaries", "camera", "vendorMode", "storage",
    "unit1", "cash", "card", "status", "configuration", "capabilities", "types", "cashOut", "reject", "initial", "out", "in",
    "presented", "typeA", "fit", "device", "exchange", "media", "paper", "upper", "positions", "position", "shutter",
    "positionStatus", "UPS", "low", "interfaces", "name", "commands", "versions", "deviceInformation", "eventId", "action",
    "retainCount", "count", "index", "serialNumber", "id", "binNumber", "state", "to", "retractOperations", "retractBins",
])  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=80),
    st.sampled_from(["ok", "outDefault", "jammedOpen", "notEmpty", "Unknown", "notSupported", "active", "2.0", "CashDispenser"]),
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(WORDS, st.text(max_size=8)), inner, max_size=6)),
    max_leaves=40,
)  # fmt: skip
PAYLOADS = st.dictionaries(WORDS, JSON, max_size=6)
NAMES = st.sampled_from([f"Interface.{name}Event" for name in (*FIXED, *READ)])
INTERFACES = (
    "CashDispenser",
    "CashAcceptor",
    "CardReader",
    "Printer",
    "KeyManagement",
    "Auxiliaries",
    "Camera",
    "Storage",
)


@given(
    st.one_of(st.text(), st.text().map(lambda text: '{"header":' + text), JSON.map(json.dumps), st.binary().map(repr))
)
def test_any_text_is_a_message_or_is_refused(raw: str) -> None:
    try:
        message = parse_message(raw)
    except DeviceMisbehaved:
        return
    assert message.raw == raw


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": JSON,
            "name": JSON,
            "version": JSON,
            "requestId": JSON,
            "status": JSON,
            "completionCode": JSON,
        },
    ),
    JSON,
)
def test_any_header_is_a_message_or_is_refused(header: dict[str, Any], payload: Any) -> None:
    try:
        message = parse_message(json.dumps({"header": header, "payload": payload}))
    except DeviceMisbehaved:
        return
    assert isinstance(message.payload, dict)
    assert message.request_id is None or message.request_id > 0


def _sendable(payload: Any) -> str | None:
    frame = json.dumps({"header": {"type": "unsolicited", "name": "A.B"}, "payload": payload})
    try:
        parse_message(frame)
    except DeviceMisbehaved:  # numbers JSON does not have
        return None
    return frame


@settings(max_examples=150, deadline=None)
@given(PAYLOADS, PAYLOADS, PAYLOADS, st.lists(st.tuples(NAMES, PAYLOADS), max_size=5))
def test_no_payload_ends_a_service(
    capabilities: dict[str, Any],
    status: dict[str, Any],
    storage: dict[str, Any],
    events: list[tuple[str, dict[str, Any]]],
) -> None:
    if not all(_sendable(payload) for payload in (capabilities, status, storage, *(item[1] for item in events))):
        return

    async def converse() -> Bench:
        bench = Bench(*INTERFACES, **{key: value for key, value in capabilities.items() if key != "interfaces"})
        await bench.start()
        await bench.service.introduce(Answers({"Common.Capabilities": capabilities}, 3))
        await bench.start()
        await bench.status(status)
        await bench.storage({"storage": storage})
        for name, payload in events:
            await bench.tell(name, payload)
        return bench

    bench = asyncio.run(converse())
    for item in bench.sink.seen:
        assert isinstance(item.value, (int, float, str))


async def test_memory_stays_flat_under_a_flood_of_ever_new_names() -> None:
    bench = await Bench(*INTERFACES).start()
    unit = {"cash": {"configuration": {"types": {"cashOut": True}}, "status": {"index": 1}}}
    await bench.storage({"storage": {"unit1": unit}})

    async def flood(begin: int, end: int) -> None:
        for index in range(begin, end):
            odd = f"x{index}"
            positions = [{"position": odd, "shutter": odd}, {"position": "outDefault", "shutter": "open"}]
            await bench.tell("Common.StatusChangedEvent", {odd: {odd: odd}, "cashDispenser": {"positions": positions}})
            await bench.tell("Common.StatusChangedEvent", {"printer": {"paper": {odd: "low"}}})
            await bench.tell("Storage.StorageChangedEvent", {odd: unit, "unit1": {odd: 1}})
            counts = {"cash": {"status": {"in": {odd: {odd: {odd: 1}}}}}}
            await bench.tell("Storage.CountsChangedEvent", {"unit1": counts})
            bench.sink.seen.clear()
            bench.sink.refused.clear()

    await flood(0, 600)  # enough to fill what is bounded
    tracemalloc.start()
    try:
        await flood(600, 800)
        before, _ = tracemalloc.get_traced_memory()
        await flood(800, 1400)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    grown = after - before  # the interpreter itself keeps up to 2000 freed tuples of each length
    assert grown < 250_000, f"{grown} bytes grew in 2400 events, each of which brought new names of its own"
