"""Frames nobody should send: nothing is raised, nothing grows."""

import asyncio
import json
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.devices import ATM
from contracts.errors import DeviceError, DeviceMisbehaved
from gateway.driver import Observation
from gateway.drivers.xfs4iot import create
from gateway.drivers.xfs4iot.envelope import parse_message
from gateway.drivers.xfs4iot.mapping_events import FIXED, READ
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.xfs4iot.scripted_machine import Recorder, ScriptedMachine
from tests.gateway.xfs4iot.test_conversation import dispenser, reader, running
from tests.gateway.xfs4iot.test_conversation import settings as quick
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


class Tally(Recorder):
    """A sink that counts refusals and keeps only the newest observation of each signal."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        newest = {item.path: item for item in (*self.seen, *observations)}
        self.seen = []
        await super().observe(list(newest.values()), keep)

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        super().refuse(raw, error)
        self.refused.clear()
        self.refusals += 1


def bad_frames(index: int) -> list[str | bytes]:
    """Ten frames that nobody should send, each with something new in it."""
    odd = f"x{index}"
    header = '{"header":{"type":"unsolicited","name":"Common.StatusChangedEvent","version":"3.0"},"payload":'
    return [
        f"not json {index}",
        "[" * 5000 + odd,
        header + "[" * 2000 + "]" * 2000 + "}",
        f'{{"header":{{"type":"completion","name":"Common.{odd}","requestId":{10**6 + index}}}}}',
        f'{{"header":{{"type":"unsolicited","name":"{odd}"}}}}',
        header + f'{{"common":{{"device":{index},"exchange":["{odd}"]}}}}}}',
        f'{{"header":{{"type":"{odd}","name":"A.B","requestId":-1}},"payload":{index}}}',
        f'{{"header":{{"name":"Storage.StorageChangedEvent","type":"event"}},"payload":{{"unit1":{{"capacity":-{index + 1}}}}}}}',
        index.to_bytes(4, "big") + b"\xff\xfe",
        '{"header":{"type":"event","name":"Common.ErrorEvent"},"payload":{"eventId":7,"vendorDescription":"'
        + odd * 200
        + '"}}',
    ]


async def test_tens_of_thousands_of_bad_frames_are_refused_one_by_one_and_memory_stays_flat() -> None:
    machine = ScriptedMachine(free_port())
    machine.services = {"Alpha": dispenser(), "Beta": reader()}
    await machine.start()
    sink = Tally()
    flooded = 0

    async def flood(rounds: int) -> None:
        nonlocal flooded
        for _ in range(rounds):
            for frame in bad_frames(flooded):
                if isinstance(frame, bytes):
                    await machine.send_bytes("Alpha", frame)
                else:
                    await machine.send("Alpha", frame)
            flooded += 1
        async with asyncio.timeout(120):
            while sink.refusals < 10 * flooded:
                await asyncio.sleep(0.01)

    try:
        async with running(
            create(quick(machine.port, poll_s=0.2, reply_timeout_s=60.0), ATM, SystemClock()), sink
        ) as run:
            await sink.until("link/state", "up")
            await sink.until("cdm/unit1/count", 155)
            await flood(200)
            tracemalloc.start()
            try:
                await flood(200)
                before, _ = tracemalloc.get_traced_memory()
                await flood(400)
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            await flood(1600)
            await sink.until("link/protocol_errors", 10 * flooded, timeout_s=10)
            await machine.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "reset"})
            await sink.until("cdm/errors", 1)
            await machine.tell("Beta", "Common.ErrorEvent", {"eventId": "hardware", "action": "reset"})
            await sink.until("idc/errors", 1)
            assert sink.last("link/state") == "up"
            assert sink.last("link/reconnects") == 0
            assert not run.done()
    finally:
        await machine.stop()
    assert after - before < 400_000, f"{after - before} bytes grew in 4000 frames"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300), JSON.map(json.dumps)), min_size=1, max_size=30)
)
def test_no_frame_ends_another_service(frames: list[str | bytes]) -> None:
    """Whatever one service sends over its real connection, the next event of it and of the other one is heard."""

    async def converse() -> None:
        machine = ScriptedMachine(free_port())
        machine.services = {"Alpha": dispenser(), "Beta": reader()}
        await machine.start()
        sink = Recorder()
        try:
            async with running(create(quick(machine.port), ATM, SystemClock()), sink) as run:
                await sink.until("link/state", "up")
                for frame in frames:
                    if isinstance(frame, bytes):
                        await machine.send_bytes("Alpha", frame)
                    else:
                        await machine.send("Alpha", frame.encode(errors="replace").decode())
                for name, path in (("Alpha", "cdm/errors"), ("Beta", "idc/errors")):
                    await machine.tell(name, "Common.ErrorEvent", {"eventId": "software", "action": "reset"})
                    await sink.until(path, 1)
                assert not run.done()
        finally:
            await machine.stop()

    asyncio.run(converse())


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
        await flood(600, 700)
        before, _ = tracemalloc.get_traced_memory()
        await flood(700, 1100)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    grown = after - before  # the interpreter itself keeps up to 2000 freed tuples of each length
    assert grown < 250_000, f"{grown} bytes grew in 1600 events, each of which brought new names of its own"
