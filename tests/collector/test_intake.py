"""The intake over a real nats-server: exactly once across restarts, resend requests, reviews, back-pressure."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.app import Collector
from collector.lanes import BACKFILL_AT_ONCE, backfill_filters, live_filters
from collector.reception import Prepared
from collector.settings import CollectorSettings
from contracts.errors import DependencyUnavailable
from contracts.identity import SHARDS, shard_of
from contracts.topics import Channel, topic
from runtime.broker import MAX_ACK_PENDING, MOST_SUBSCRIPTIONS
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings
from runtime.supervisor import Supervisor
from tests.collector.parts import (
    ATM,
    BOOT,
    BRANCH,
    Witness,
    inventory,
    make_collector,
    pack,
    reading,
    status,
)

FAST: dict[str, Any] = {"review_s": 0.1, "hole_grace_s": 0.3, "hole_retry_first_s": 0.3, "hole_tries": 2}


def now_ms() -> int:
    return SystemClock().now_ms()


@asynccontextmanager
async def running(collector: Collector) -> AsyncIterator[None]:
    supervisor = Supervisor()
    for service in collector.services():
        supervisor.add(service)
    async with asyncio.TaskGroup() as group:
        started = asyncio.Event()
        group.create_task(supervisor.run(on_started=started.set))
        async with asyncio.timeout(20):
            await started.wait()
        yield
        supervisor.request_stop()


@asynccontextmanager
async def gateway(broker: BrokerSettings, *hears: str) -> AsyncIterator[MqttClient]:
    client = MqttClient(broker, "gateway-under-test", subscriptions=hears)
    client.start()
    await client.wait_connected(10)
    try:
        yield client
    finally:
        await client.stop()


async def send(client: MqttClient, channel: Channel, payload: bytes, *, retain: bool = False) -> None:
    await asyncio.wait_for(client.publish(topic(BRANCH, channel), payload, retain=retain), 10)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def hello(client: MqttClient, boot: str = BOOT) -> None:
    await send(client, Channel.STATUS, status(True, now_ms(), boot), retain=True)
    await send(client, Channel.INVENTORY, inventory(("atm-01", "atm")), retain=True)


async def test_packs_sent_while_the_collector_is_down_are_stored_once_when_it_is_back(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    async with gateway(broker) as client:
        first = make_collector(tmp_path, ops, SystemClock(), broker=broker)
        async with running(first):
            await hello(client)
            await send(client, Channel.TELEMETRY, pack(1, [reading("cdm/unit1/count", 1, now_ms())]))
            await until(lambda: [found.committed_packs for found in first.intake_status()] == [1])
        for seq in (2, 3, 1):
            await send(client, Channel.TELEMETRY, pack(seq, [reading("cdm/unit1/count", seq, now_ms() + seq)]))
        witness = Witness()
        collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, listener=witness)
        async with running(collector):
            await until(lambda: [found.committed_packs for found in collector.intake_status()] == [3])
            await until(lambda: collector.intake_status()[0].duplicates_dropped >= 1)
            audit = await collector.audit()
            assert (audit.readings, audit.doubled) == (3, 0)
            latency = await collector.latency()
            assert latency.count == 3
            assert collector.unavailable() == []
        assert witness.devices == [ATM, f"{BRANCH}/gateway"], "known from the last life"


async def test_a_hole_is_asked_for_and_filled_or_given_up(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    witness = Witness()
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, listener=witness, **FAST)
    async with running(collector), gateway(broker, topic(BRANCH, Channel.REQUEST)) as client:
        await hello(client)
        for seq in (2, 3, 7):
            await send(client, Channel.TELEMETRY, pack(seq, [reading("cdm/unit1/count", seq, now_ms() + seq)]))
        asked: set[int] = set()
        async with asyncio.timeout(20):
            while asked != {
                1,
                4,
                5,
                6,
            }:  # the packs may be committed one by one, and the first of them asked about alone
                (request,) = await client.receive(1)
                client.acknowledge([request])
                said = json.loads(request.payload)
                assert said["boot"] == BOOT
                asked |= {seq for low, high in said["resend"] for seq in range(low, high + 1)}
                assert asked <= {1, 4, 5, 6}
        for seq in (4, 5):
            await send(client, Channel.BACKFILL, pack(seq, [reading("cdm/unit1/count", seq, now_ms() + seq)]))
        await until(lambda: [found.gap_packs for found in collector.intake_status()] == [2])
        (state,) = collector.intake_status()
        assert (state.committed_packs, state.last_seq, state.open_holes, state.missing_packs) == (5, 7, 0, 0)

        def missing() -> list[float]:
            return [value for _, path, _, value, _ in witness.readings if path == "uplink/missing_packs"]

        await until(lambda: missing()[-1] == 0.0)  # given up as a gap, no longer awaited
        assert missing()[0] == 0.0
        assert max(missing()) > 0, "reported while they were missing"
        await send(client, Channel.BACKFILL, pack(6, [reading("cdm/unit1/count", 6, now_ms())]))
        await until(lambda: collector.intake_status()[0].gap_packs == 1)
    again = make_collector(tmp_path, ops, SystemClock(), broker=broker)
    async with running(again):
        assert [found.gap_packs for found in again.intake_status()] == [1], "gaps are remembered"
    events = await collector.fleet._event_log.read(0, ["intake.gap_recorded"])
    given_up = {seq for event in events for low, high in event.data["ranges"] for seq in range(low, high + 1)}
    assert {1, 6} <= given_up <= {1, 4, 5, 6}, "4 and 5 too where they came late"


async def test_what_a_full_gateway_dropped_is_a_gap_known_once_and_its_pack_is_not_asked_for(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, **FAST)
    async with running(collector), gateway(broker, topic(BRANCH, Channel.REQUEST)) as client:
        await hello(client)
        thinned = pack(2, [reading("cdm/unit1/count", 2, now_ms() + 2)], dropped=7)
        await send(client, Channel.TELEMETRY, pack(1, [reading("cdm/unit1/count", 1, now_ms() + 1)]))
        await send(client, Channel.BACKFILL, thinned)
        await send(client, Channel.BACKFILL, thinned)
        await send(client, Channel.BACKFILL, pack(3, [], dropped=30))
        await send(client, Channel.BACKFILL, pack(1, [], dropped=1))  # it had come whole before its gateway ran full
        await until(lambda: [found.committed_packs for found in collector.intake_status()] == [3])
        await until(lambda: collector.intake_status()[0].duplicates_dropped == 2)
        (state,) = collector.intake_status()
        assert (state.dropped_readings, state.gap_packs, state.open_holes, state.missing_packs) == (37, 0, 0, 0)
    again = make_collector(tmp_path, ops, SystemClock(), broker=broker)
    async with running(again):
        assert [found.dropped_readings for found in again.intake_status()] == [37], "gaps are remembered"
        assert await again.quarantine.entries() == []
    events = await collector.fleet._event_log.read(0, ["intake.readings_dropped"])
    assert sum(event.data["readings"] for event in events) == 37


async def test_a_gateways_connection_and_its_end_are_reported(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, **FAST)
    async with running(collector):
        async with gateway(broker) as client:
            await hello(client)
            await until(lambda: len(collector.readings.latest(f"{BRANCH}/gateway")) == 2)
            missing, uplink = collector.readings.latest(f"{BRANCH}/gateway")
            assert (missing.path, missing.value) == ("uplink/missing_packs", 0.0)
            assert (uplink.path, uplink.word) == ("uplink/state", "connected")
            await send(client, Channel.STATUS, status(False, now_ms() + 1), retain=True)
        await until(lambda: collector.readings.latest(f"{BRANCH}/gateway")[1].word == "disconnected")


async def test_nothing_is_acknowledged_before_the_listener_has_taken_it(
    mosquitto: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    """Over mosquitto, which sends what was not acknowledged as soon as the session is back."""

    class Stuck(Witness):
        async def take(self, *_args: object) -> None:
            raise DependencyUnavailable("rules are out for lunch")

    collector = make_collector(tmp_path, ops, SystemClock(), broker=mosquitto, listener=Stuck())
    async with gateway(mosquitto) as client:
        async with running(collector):
            await hello(client)
            await send(client, Channel.TELEMETRY, pack(1, [reading("cdm/unit1/count", 1, now_ms())]))
            await until(lambda: collector.unavailable() == ["listener"])
        witness = Witness()
        again = make_collector(tmp_path, ops, SystemClock(), broker=mosquitto, listener=witness)
        async with running(again):
            await until(lambda: sum(found.duplicates_dropped for found in again.intake_status()) >= 1)
            assert (await again.audit()).doubled == 0
        assert witness.restored_from is not None
        assert witness.restored_from >= 1, "what it did not take it reads from the store"


async def test_batches_are_bounded(broker: BrokerSettings, ops: Database, tmp_path: Path) -> None:
    sizes: list[int] = []
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, batch_messages=4, batch_age_ms=500)
    reception = collector._intake._reception
    prepare = reception.prepare

    async def note(messages: Sequence[Message]) -> Prepared:
        sizes.append(len(messages))
        return await prepare(messages)

    reception.prepare = note  # type: ignore[method-assign]
    async with running(collector), gateway(broker) as client:
        await hello(client)
        await asyncio.gather(
            *(send(client, Channel.TELEMETRY, pack(seq, [reading("cdm/device", "online")])) for seq in range(1, 31))
        )
        await until(lambda: [found.committed_packs for found in collector.intake_status()] == [30])
    assert max(sizes) == 4


@pytest.mark.parametrize("slots", [1, 2, 7, 64])
@pytest.mark.parametrize(
    ("filters_of", "channel"), [(live_filters, Channel.TELEMETRY), (backfill_filters, Channel.BACKFILL)]
)
def test_the_slots_of_a_deployment_share_all_shards_and_none_twice(
    slots: int, filters_of: Callable[[CollectorSettings], list[str]], channel: Channel
) -> None:
    filters = [filters_of(CollectorSettings(slots=slots, slot=slot)) for slot in range(slots)]
    assert max(len(of_slot) for of_slot in filters) <= MOST_SUBSCRIPTIONS
    shards = [name.split("/")[2] for of_slot in filters for name in of_slot if name.endswith(f"/{channel}")]
    assert sorted(shards) == (["+"] if slots == 1 else [f"{shard:02d}" for shard in range(SHARDS)])


async def test_a_backlog_at_the_broker_lets_live_packs_pass(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    """However much waits to be filled in, a live pack is in the next batch."""
    behind, live = 12 * BACKFILL_AT_ONCE, 5
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker)
    async with running(collector):
        pass  # its sessions are there from now on
    async with gateway(broker) as client:
        await hello(client)
        for seqs, channel in (
            (range(1, behind + 1), Channel.BACKFILL),
            (range(behind + 1, behind + live + 1), Channel.TELEMETRY),
        ):
            sent = [
                client.publish(topic(BRANCH, channel), pack(seq, [reading("cdm/device", "online", now_ms() + seq)]))
                for seq in seqs
            ]
            await asyncio.wait_for(asyncio.gather(*sent), 20)
        again = make_collector(tmp_path, ops, SystemClock(), broker=broker)
        batches: list[list[str]] = []
        reception = again._intake._reception
        prepare = reception.prepare

        async def note(messages: Sequence[Message]) -> Prepared:
            batches.append([message.topic.rpartition("/")[2] for message in messages])
            return await prepare(messages)

        reception.prepare = note  # type: ignore[method-assign]
        async with running(again):
            await until(lambda: [found.committed_packs for found in again.intake_status()] == [behind + live])
    assert max(batch.count(Channel.BACKFILL) for batch in batches) <= BACKFILL_AT_ONCE
    place = max(number for number, batch in enumerate(batches) if Channel.TELEMETRY in batch)
    assert place < len(batches) - 3, "live packs came last"


async def test_a_slot_leaves_branches_of_others_alone(broker: BrokerSettings, ops: Database, tmp_path: Path) -> None:
    elsewhere = (int(shard_of(BRANCH)) + 1) % 2
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, slots=2, slot=elsewhere)
    mine = make_collector(tmp_path / "mine", ops, SystemClock(), broker=broker, slots=2, slot=1 - elsewhere)
    async with running(collector), gateway(broker) as client:
        await hello(client)
        async with running(mine):
            await until(lambda: [found.online for found in mine.intake_status()] == [True])
        assert collector.intake_status() == []


@pytest.mark.parametrize("slots", [1, 2, 64])
async def test_the_embedded_broker_takes_all_subscriptions_of_a_slot(
    slots: int, broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    """With all of their channels, and with more packs waiting than may be in flight at once."""
    slot = int(shard_of(BRANCH)) % slots
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, slots=slots, slot=slot)
    async with running(collector):
        assert collector.unavailable() == []
    packs = MAX_ACK_PENDING + 500
    elsewhere = next(
        f"BR{number:04d}" for number in range(9999) if int(shard_of(f"BR{number:04d}")) % slots != slot or slots == 1
    )
    async with gateway(broker) as client:
        await hello(client)
        sent = [
            client.publish(topic(BRANCH, Channel.BACKFILL if seq % 2 else Channel.TELEMETRY), pack(seq, []))
            for seq in range(1, packs + 1)
        ]
        other = pack(1, [], branch=elsewhere)
        sent.append(client.publish(topic(elsewhere, Channel.TELEMETRY), other))
        await asyncio.wait_for(asyncio.gather(*sent), 20)
        again = make_collector(tmp_path, ops, SystemClock(), broker=broker, slots=slots, slot=slot)
        async with running(again):
            await until(lambda: {BRANCH: packs}.items() <= committed(again).items())
            await until(lambda: slots > 1 or elsewhere in committed(again))
        assert (elsewhere in committed(again)) == (slots == 1), "another slot's"
        assert await again.quarantine.entries() == []


def committed(collector: Collector) -> dict[str, int]:
    return {found.branch_id: found.committed_packs for found in collector.intake_status()}


def test_a_slot_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="slot 2 of 2: expected 0 to 1"):
        CollectorSettings(slots=2, slot=2)
