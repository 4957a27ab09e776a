"""What messages mean: packs, statuses and inventories, refused records, held and released ones, restarts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collector.quarantine import QuarantineEntry
from collector.recent_contents import KEPT, Comparison, RecentContents
from contracts.errors import DependencyUnavailable, NotFound
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.signals import Condition
from contracts.topics import Channel
from runtime.clock import ManualClock
from runtime.database import Database
from runtime.metrics import render
from tests.collector.parts import (
    ATM,
    BOOT,
    BRANCH,
    NOW_MS,
    Witness,
    header_json,
    inventory,
    make_collector,
    message,
    pack,
    raw_pack,
    reading,
    receiving,
    status,
)

ATM_INVENTORY = message(Channel.INVENTORY, inventory(("atm-01", "atm")))
GATEWAY = f"{BRANCH}/gateway"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


def counts_row(field: str, amount: int) -> dict[str, Any]:
    return {"n": field, "v": amount}


COUNT = {"n": "cdm/unit1/count", "u": "count", "v": 155}
BAD_RECORDS: dict[str, tuple[dict[str, Any], str]] = {
    "another branch's device": ({"bn": "BR0001/atm-01/", "n": "cdm/device", "vs": "online"}, "wrong_branch"),
    "a device not in the inventory": ({"bn": f"{BRANCH}/atm-99/", "n": "cdm/device", "vs": "online"}, "unknown_device"),
    "a signal the kind has not": ({"n": "cdm/mood", "v": 1}, "unknown_signal"),
    "text for a gauge": ({"n": "cdm/unit1/count", "vs": "many"}, "wrong_type"),
    "a number for a state": ({"n": "cdm/device", "v": 1}, "wrong_type"),
    "a number for an event": ({"n": "cdm/error", "v": 1}, "wrong_type"),
    "a truth value": ({"n": "cdm/unit1/count", "vb": True}, "wrong_type"),
    "data": ({"n": "cdm/unit1/count", "vd": "AAEC"}, "wrong_type"),
    "only a sum": ({"n": "cdm/unit1/count", "s": 4}, "wrong_type"),
    "a word the state has not": ({"n": "cdm/device", "vs": "tired"}, "bad_value"),
    "a number beyond all bounds": ({"n": "cdm/unit1/count", "v": 1.7e308, "bv": 1.7e308}, "bad_value"),
    "a text without end": ({"n": "cdm/error", "vs": "x" * 5000}, "bad_value"),
    "another unit": ({"n": "cdm/unit1/count", "u": "Cel", "v": 1}, "wrong_unit"),
    "a unit on a state": ({"n": "cdm/device", "u": "count", "vs": "online"}, "wrong_unit"),
    "a time before 2000": ({"n": "cdm/unit1/count", "v": 1, "bt": 900_000_000}, "time_out_of_range"),
    "a time over five minutes ahead": (
        {"n": "cdm/unit1/count", "v": 1, "bt": NOW_MS / 1000 + 301},
        "time_out_of_range",
    ),
    "another value of a signal at the same time": ({**COUNT, "v": 156}, "name_clash"),
    "the same signal under another base name": (
        {"bn": f"{ATM}/cdm/unit1/", "n": "count", "u": "count", "v": 156},
        "name_clash",
    ),
    "what only the collector observes": (
        {"bn": f"{GATEWAY}/", "n": "uplink/state", "vs": "connected"},
        "unknown_signal",
    ),
}


@pytest.mark.parametrize("what", BAD_RECORDS)
async def test_a_refused_record_leaves_the_rest_of_its_pack(
    what: str, tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    bad, code = BAD_RECORDS[what]
    witness = Witness()
    collector = make_collector(tmp_path, ops, clock, listener=witness)
    async with receiving(collector) as reception:
        restore_base = {"bn": f"{ATM}/", "bt": NOW_MS / 1000, "bv": 0}
        payload = raw_pack({"bt": NOW_MS / 1000, **COUNT}, bad, {**restore_base, "n": "cdm/unit2/count", "v": 12})
        await reception.take([ATM_INVENTORY, message(Channel.TELEMETRY, payload)])
        stored = [(path, value) for _, path, _, value, _ in witness.readings]
        assert stored == [("cdm/unit1/count", 155.0), ("cdm/unit2/count", 12.0)]
        (entry,) = await collector.quarantine.entries()
        assert (entry.code, entry.record, entry.records) == (code, 4, 1)
        assert entry.held == (code in {"unknown_device", "time_out_of_range"})
        (kept,) = json.loads(await collector.quarantine.payload(entry.id))
        assert kept["n"].endswith(bad["n"])
        (count,) = await collector.quarantine.counts()
        assert (count.branch_id, count.code, count.refused) == (BRANCH, code, 1)
        await reception.take([message(Channel.TELEMETRY, payload)])
        assert reception.duplicates[BRANCH] == 1, "its seq is committed"


WHOLE: dict[str, tuple[bytes, str, bool]] = {
    "no JSON": (b"\x00\xff", "not_json", False),
    "half a pack": (raw_pack(COUNT)[:-9], "not_json", False),
    "a number that is none": (raw_pack(COUNT).replace(b"155", b"NaN"), "not_json", False),
    "an object": (b"{}", "not_an_array", False),
    "nothing in it": (b"[]", "empty_pack", False),
    "no header": (
        json.dumps([{"n": f"{ATM}/cdm/unit1/count", "bt": NOW_MS / 1000, "v": 1}]).encode(),
        "missing_header",
        False,
    ),
    "half a header": (json.dumps(header_json()[:2]).encode(), "missing_header", False),
    "another branch's header": (json.dumps(header_json(branch="BR0001")).encode(), "wrong_branch", False),
    "text as a number": (raw_pack({"n": "cdm/unit1/count", "v": "1"}), "malformed_record", True),
    "two values": (raw_pack({"n": "cdm/unit1/count", "v": 1, "vs": "1"}), "value_count", True),
    "no value": (raw_pack({"n": "cdm/unit1/count"}), "value_count", True),
    "a label to understand": (raw_pack({"n": "cdm/unit1/count", "v": 1, "x_": 1}), "unknown_label", True),
    "a name with spaces": (raw_pack({"n": "cdm unit1", "v": 1}), "bad_name", True),
    "a relative time": (raw_pack({"n": "cdm/unit1/count", "v": 1, "bt": 0, "t": -5}), "relative_time", True),
    "another version": (raw_pack({"n": "cdm/unit1/count", "v": 1, "bver": 99}), "unsupported_version", True),
    "too much of it": (raw_pack({"n": "cdm/error", "vs": "x" * 300_000}), "oversized", False),
}


@pytest.mark.parametrize("what", WHOLE)
async def test_a_refused_pack_is_kept_and_the_next_good_one_stored(
    what: str, tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    payload, code, header_reads = WHOLE[what]
    witness = Witness()
    collector = make_collector(tmp_path, ops, clock, listener=witness)
    async with receiving(collector) as reception:
        good = message(Channel.TELEMETRY, pack(2, [reading("cdm/unit1/count", 155)]))
        await reception.take([ATM_INVENTORY, message(Channel.TELEMETRY, payload), good])
        (entry,) = await collector.quarantine.entries()
        assert (entry.code, entry.branch_id, entry.payload_bytes) == (code, BRANCH, len(payload))
        assert await collector.quarantine.payload(entry.id) == payload[:16384]
        assert [path for _, path, *_ in witness.readings] == ["cdm/unit1/count"]
        (gateway,) = collector.intake_status()
        assert gateway.committed_packs == 1
    again = make_collector(tmp_path, ops, clock)
    async with receiving(again):
        await again._intake._review.review(connected=True)
        clock.advance(60_000)
        asked = [request.resend for _, request in await again._intake._review.review(connected=True)]
        assert asked == ([] if header_reads else [((1, 1),)]), "a seq that can be read is not asked for again"


WRONG: list[dict[str, Any]] = [
    {"n": "cdm/unit1/count", "v": "1"},
    {"n": "cdm/unit1/count", "v": "2"},
    {"n": "cdm unit1", "v": 1},
    {"n": "cdm/unit1/count", "u": "Cel", "v": 1},
]


@pytest.mark.parametrize("at_once", [True, False])
async def test_every_wrong_pack_of_one_seq_is_kept_and_the_right_one_is_stored(
    at_once: bool, tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    """As somebody does who writes packs by hand and tries again with the seq as it was."""
    registry = CollectorRegistry()
    collector = make_collector(tmp_path, database, clock, registry=registry)
    messages = [message(Channel.TELEMETRY, raw_pack({"bt": NOW_MS / 1000, **wrong})) for wrong in WRONG]
    messages.append(message(Channel.TELEMETRY, raw_pack({"bt": NOW_MS / 1000, **COUNT})))
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        for batch in [messages] if at_once else [[one] for one in messages]:
            await reception.take(batch)
        entries = await collector.quarantine.entries()
        assert [entry.code for entry in reversed(entries)] == [
            "malformed_record", "malformed_record", "bad_name", "wrong_unit",
        ]  # fmt: skip
        assert sum(count.refused for count in await collector.quarantine.counts()) == 4
        assert (await collector.audit()).readings == 1
        assert reception.duplicates[BRANCH] == 0
        assert [gateway.committed_packs for gateway in collector.intake_status()] == [1]
        await reception.take(messages[:1])
        assert len(await collector.quarantine.entries()) == 5, "also after the right one"
    again = make_collector(tmp_path, database, clock)
    async with receiving(again) as reception:
        await reception.take([messages[0], messages[-1]])
        assert len(await again.quarantine.entries()) == 6
        assert ((await again.audit()).readings, reception.duplicates[BRANCH]) == (1, 1)
    batches = registry.get_sample_value("branchwatch_batch_messages_count")
    assert batches == (3 if at_once else 7)


@pytest.mark.parametrize("at_once", [True, False])
async def test_another_pack_of_a_seq_that_is_stored_is_refused_and_kept(
    at_once: bool, tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    fragment = encode_readings([reading("cdm/unit1/count", 155)])
    first = encode_pack(Header(PackId(BRANCH, BOOT, 1), NOW_MS), [fragment])
    later = encode_pack(Header(PackId(BRANCH, BOOT, 1), NOW_MS + 9000), [fragment])
    other = pack(1, [reading("cdm/unit1/count", 156)])
    messages = [message(Channel.TELEMETRY, first), message(Channel.BACKFILL, later), message(Channel.TELEMETRY, other)]
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        for batch in [messages] if at_once else [[one] for one in messages]:
            await reception.take(batch)
        (entry,) = await collector.quarantine.entries()
        assert (entry.code, entry.branch_id) == ("seq_reused", BRANCH)
        assert await collector.quarantine.payload(entry.id) == other
        assert (await collector.audit()).readings == 1
        assert reception.duplicates[BRANCH] == 1, "sent again at another time and on another lane it is the same pack"


def test_only_so_many_packs_of_a_gateway_are_remembered() -> None:
    contents = RecentContents()
    for seq in range(1, KEPT + 2):
        contents.remember(PackId(BRANCH, BOOT, seq), pack(seq, [reading("cdm/unit1/count", seq)]))
    assert contents.compare(PackId(BRANCH, BOOT, 1), b"[]") is Comparison.UNKNOWN
    assert contents.compare(PackId(BRANCH, BOOT, 2), b"[]") is Comparison.OTHER
    assert contents.compare(PackId("BR0001", BOOT, 2), b"[]") is Comparison.UNKNOWN


@pytest.mark.parametrize(
    ("channel", "payload", "code"),
    [
        (Channel.STATUS, b"{}", "bad_status"),
        (Channel.STATUS, b"online", "bad_status"),
        (Channel.INVENTORY, b'{"branch_id": "BR0421", "devices": []}', "bad_inventory"),
        (Channel.INVENTORY, inventory(("atm-01", "spaceship")), "bad_inventory"),
        (Channel.INVENTORY, inventory(branch="BR0001"), "wrong_branch"),
    ],
)
async def test_other_messages_are_refused_with_their_reason(
    channel: Channel, payload: bytes, code: str, tmp_path: Path, ops: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        await reception.take([message(channel, payload)])
        (entry,) = await collector.quarantine.entries()
        assert (entry.code, entry.branch_id, entry.record) == (code, BRANCH, None)
        assert await collector.quarantine.payload(entry.id) == payload


async def test_what_goes_down_to_gateways_is_passed_over(tmp_path: Path, ops: Database, clock: ManualClock) -> None:
    collector = make_collector(tmp_path, ops, clock)
    async with receiving(collector) as reception:
        await reception.take([message(Channel.REQUEST, b'{"boot": "b", "resend": [[1, 2]]}')])
        assert await collector.quarantine.entries() == []
        assert collector.intake_status() == []


async def test_states_events_and_numbers_are_stored_as_the_catalogue_says(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, database, clock, listener=(witness := Witness()))
    async with receiving(collector) as reception:
        readings = [
            reading("cdm/device", "hardwareError"),
            reading("cdm/unit1/count", 155.0),
            reading("cdm/error", "卡钞 jam", NOW_MS + 1),
        ]
        await reception.take([ATM_INVENTORY, message(Channel.BACKFILL, pack(1, readings))])
        assert witness.readings == [
            (ATM, "cdm/device", NOW_MS, 4.0, False),
            (ATM, "cdm/unit1/count", NOW_MS, 155.0, False),
        ]
        assert witness.events == [("cdm/error", "卡钞 jam", False)]
        device, count = collector.readings.latest(ATM)
        assert (device.path, device.word, device.condition, device.stale) == (
            "cdm/device", "hardwareError", Condition.FAILED, False,
        )  # fmt: skip
        assert (count.path, count.value, count.word, count.signal.unit) == ("cdm/unit1/count", 155.0, None, "count")
        history = await collector.readings.history(ATM, "cdm/device", 0, NOW_MS + 1)
        assert [(point.observed_at_ms, point.word) for point in history.points] == [(NOW_MS, "hardwareError")]
        (event,) = await collector.readings.events(ATM, 0, NOW_MS + 2)
        assert (event.path, event.text) == ("cdm/error", "卡钞 jam")
        with pytest.raises(NotFound, match="no readings of 'cdm/mood'"):
            await collector.readings.history(ATM, "cdm/mood", 0, NOW_MS)
        clock.advance(2 * 300_000 + 1)
        assert collector.readings.latest(ATM)[0].stale


async def test_readings_that_came_before_their_inventory_are_released_once(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    early = [
        reading("cdm/device", "online"), reading("cdm/unit1/count", 155.5), reading("cdm/error", "jam"),
        reading("total/in", 3, device=f"{BRANCH}/ftf-01"),
    ]  # fmt: skip
    async with receiving(collector) as reception:
        await reception.take([message(Channel.BACKFILL, pack(1, early))])
        assert witness.readings == []
        assert [(entry.held, entry.records) for entry in await collector.quarantine.entries()] == [(True, 1), (True, 3)]
        await reception.take([ATM_INVENTORY])
        assert witness.readings == [
            (ATM, "cdm/device", NOW_MS, 0.0, False),
            (ATM, "cdm/unit1/count", NOW_MS, 155.5, False),
        ]
        assert witness.events == [("cdm/error", "jam", False)]
        (left,) = await collector.quarantine.entries()
        assert left.detail.startswith(f"{BRANCH}/ftf-01")
        await reception.take([message(Channel.BACKFILL, pack(1, early)), ATM_INVENTORY])
        assert (await collector.audit()).stored == 3
        assert (await collector.audit()).doubled == 0
        assert [gateway.committed_packs for gateway in collector.intake_status()] == [1]


class Crash(Exception):  # noqa: N818  (it stands for a SIGKILL, not for an error)
    pass


def crash(*_args: object, **_kwargs: object) -> None:
    raise Crash


@pytest.mark.parametrize("point", ["append", "discard", "take"])
async def test_a_crash_at_any_point_neither_loses_nor_doubles_held_readings(
    point: str, tmp_path: Path, database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = message(Channel.TELEMETRY, pack(1, [reading("cdm/unit1/count", 155)]))
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    async with receiving(collector) as reception:
        if point == "append":  # refusals kept, store not yet
            monkeypatch.setattr(collector.store, "append", crash)
            with pytest.raises(Crash):
                await reception.take([early])
        else:
            await reception.take([early])
            monkeypatch.setattr(collector.quarantine if point == "discard" else witness, point, crash)
            with pytest.raises(Crash):
                await reception.take([ATM_INVENTORY])
    monkeypatch.undo()
    again = make_collector(tmp_path, database, clock)
    async with receiving(again) as reception:
        await reception.take([ATM_INVENTORY, early])  # both were never acknowledged
        audit = await again.audit()
        assert (audit.readings, audit.doubled) == (1, 0)
        assert await again.quarantine.entries() == []


async def test_what_waits_for_an_inventory_is_bounded(tmp_path: Path, database: Database, clock: ManualClock) -> None:
    collector = make_collector(tmp_path, database, clock, quarantine_held_rows=3, quarantine_sample_rows=2)
    async with receiving(collector) as reception:
        for seq in range(1, 10):
            await reception.take(
                [message(Channel.TELEMETRY, pack(seq, [reading("cdm/unit1/count", seq, NOW_MS + seq)]))]
            )
        entries = await collector.quarantine.entries()
        assert [entry.held for entry in entries] == [False, False, True, True, True]
        (count,) = await collector.quarantine.counts()
        assert (count.refused, count.kept) == (9, 9)
        await reception.take([ATM_INVENTORY])
        assert (await collector.audit()).readings == 3


async def test_a_sample_is_kept_and_all_is_counted(tmp_path: Path, database: Database, clock: ManualClock) -> None:
    collector = make_collector(tmp_path, database, clock, quarantine_sample_rows=3, quarantine_sample_bytes=4)
    async with receiving(collector) as reception:
        await reception.take([message(Channel.TELEMETRY, b"rubbish %d" % number) for number in range(10)])
        await reception.take([message(Channel.TELEMETRY, b"elsewhere", branch="BR0001")])
        entries: list[QuarantineEntry] = await collector.quarantine.entries(branch_id=BRANCH)
        assert [entry.payload_bytes for entry in entries] == [9, 9, 9]
        assert await collector.quarantine.payload(entries[0].id) == b"rubb"
        older = await collector.quarantine.entries(branch_id=BRANCH, code="not_json", before_id=entries[0].id, limit=1)
        assert older == entries[1:2]
        counts = {(count.branch_id, count.refused) for count in await collector.quarantine.counts()}
        assert counts == {(BRANCH, 10), ("BR0001", 1)}
        with pytest.raises(NotFound):
            await collector.quarantine.payload(entries[-1].id - 1)


async def test_an_inventory_is_stored_told_and_logged_only_when_it_changed(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        assert witness.devices == [ATM, GATEWAY]
        device = collector.fleet.device(ATM)
        assert device is not None
        assert (device.kind, device.serial, device.announced_at_ms) == ("atm", "S1", NOW_MS)
        witness.devices = []
        clock.advance(1000)
        await reception.take([ATM_INVENTORY])
        assert witness.devices == []
        await reception.take([message(Channel.INVENTORY, inventory(("ftf-01", "footfall_sensor")))])
        assert witness.devices == [f"{BRANCH}/ftf-01", GATEWAY]
        late = message(Channel.BACKFILL, pack(1, [reading("cdm/unit1/count", 1)]))
        await reception.take([late])
        assert (await collector.audit()).readings == 1, "readings of a removed device may still arrive"
    again = make_collector(tmp_path, database, clock)
    async with receiving(again):
        assert [found.device_id for found in again.fleet.devices(BRANCH)] == [f"{BRANCH}/ftf-01", GATEWAY]
    events = await collector.fleet._event_log.read(0, ["fleet.inventory_changed"])
    assert [(event.data["added"], event.data["removed"]) for event in events] == [
        ([ATM, GATEWAY], []),
        ([f"{BRANCH}/ftf-01"], [ATM]),
    ]


async def test_a_device_that_becomes_another_kind_gets_new_series(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    collector = make_collector(tmp_path, database, clock)
    device = f"{BRANCH}/x-01"
    async with receiving(collector) as reception:
        for seq, kind in enumerate(("atm", "footfall_sensor"), 1):
            found = reading("link/state", "up", NOW_MS + seq, device)
            await reception.take(
                [message(Channel.INVENTORY, inventory(("x-01", kind))), message(Channel.TELEMETRY, pack(seq, [found]))]
            )
        assert [row.kind for row in await collector.store.load_series()] == ["atm", "footfall_sensor"]
        assert [(found.path, found.observed_at_ms) for found in collector.readings.latest(device)] == [
            ("link/state", NOW_MS + 2)
        ]


async def test_statuses_become_readings_of_the_gateway_in_order(
    tmp_path: Path, database: Database, clock: ManualClock
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, database, clock, listener=witness)
    async with receiving(collector) as reception:
        await reception.take([message(Channel.STATUS, status(True, NOW_MS - 500))])
        await reception.take([message(Channel.STATUS, status(True, NOW_MS - 500))])
        clock.advance(10_000)
        await reception.take([message(Channel.STATUS, status(False, NOW_MS - 500))])  # the will: written at connect
        await reception.take([message(Channel.STATUS, status(True, NOW_MS + 9_000))])  # its clock lags behind
        await reception.take([message(Channel.STATUS, status(False, NOW_MS + 9_500))])  # an orderly goodbye
        assert [(path, observed, value) for _, path, observed, value, _ in witness.readings] == [
            ("uplink/state", NOW_MS - 500, 0.0),
            ("uplink/state", NOW_MS + 10_000, 1.0),
            ("uplink/state", NOW_MS + 10_001, 0.0),
            ("uplink/state", NOW_MS + 10_002, 1.0),
        ]
        (gateway,) = collector.intake_status()
        assert (gateway.online, gateway.since_ms, gateway.version) == (False, NOW_MS + 10_000, "0.1.0")
        audit = await collector.audit()
        assert (audit.stored, audit.derived) == (0, 4)
    again = make_collector(tmp_path, database, clock, listener=(later := Witness()))
    async with receiving(again) as reception:
        await reception.take([message(Channel.STATUS, status(False, NOW_MS + 9_500))])
        assert later.readings == [], "a retained status that comes again after a restart says nothing new"
        assert later.restored_from == 4


def failing_times(count: int, real: Callable[..., Any]) -> Callable[..., Any]:
    left = count

    async def attempt(*args: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise DependencyUnavailable("gone for a while")
        return await real(*args)

    return attempt


@pytest.mark.parametrize("which", ["store", "listener", "quarantine"])
async def test_a_part_that_is_gone_for_a_while_is_waited_for_and_nothing_is_lost(
    which: str, tmp_path: Path, database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness, registry = Witness(), CollectorRegistry()
    collector = make_collector(tmp_path, database, clock, listener=witness, registry=registry)
    async with receiving(collector) as reception:
        await reception.take([ATM_INVENTORY])
        part, method = {
            "store": (collector.store, "append"),
            "listener": (witness, "take"),
            "quarantine": (collector.quarantine, "keep"),
        }[which]
        waits: list[list[str]] = []
        real = getattr(part, method)

        async def note(*args: Any) -> Any:
            waits.append(collector.unavailable())
            return await failing(*args)

        failing = failing_times(2, real)
        monkeypatch.setattr(part, method, note)
        await reception.take([message(Channel.TELEMETRY, pack(1, [reading("cdm/unit1/count", 155)]))])
        assert [value for *_, value, _ in witness.readings] == [155.0]
        name = "ops database" if which == "quarantine" else which
        assert waits == [["broker"], ["broker", name], ["broker", name]]
        assert collector.unavailable() == ["broker"]
        text = render(registry).decode()
        assert "branchwatch_packs_committed_total 1.0" in text
        assert "branchwatch_intake_waiting 0.0" in text
        assert 'branchwatch_device_to_store_seconds_bucket{le="0.01"} 1.0' in text
