"""Reading and committing side by side over a real nats-server: bounded, in order, finished at the stop."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.app import Collector
from collector.intake import UNDER_WAY
from collector.lanes import Batch
from collector.reception import Prepared
from contracts.errors import DependencyUnavailable
from contracts.topics import Channel, topic
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings
from runtime.supervisor import Supervisor
from tests.collector.parts import BRANCH, Witness, make_collector, pack, reading
from tests.collector.test_intake import committed, gateway, hello, now_ms, running, until


class Moody(Witness):
    """A listener that takes commits only while it may."""

    may_take = True

    async def take(self, *told: object) -> None:
        if not self.may_take:
            raise DependencyUnavailable("rules are out for lunch")
        await super().take(*told)  # type: ignore[arg-type]


async def send_packs(client: MqttClient, seqs: Sequence[int]) -> None:
    name = topic(BRANCH, Channel.TELEMETRY)
    sent = [client.publish(name, pack(seq, [reading("cdm/unit1/count", seq, now_ms() + seq)])) for seq in seqs]
    await asyncio.wait_for(asyncio.gather(*sent), 20)


def note_batches(collector: Collector) -> list[int]:
    """Sizes of the batches that are read from now on."""
    sizes: list[int] = []
    reception = collector._intake._reception
    prepare = reception.prepare

    async def note(messages: Sequence[Message]) -> Prepared:
        sizes.append(len(messages))
        return await prepare(messages)

    reception.prepare = note  # type: ignore[method-assign]
    return sizes


async def test_while_nothing_can_be_committed_two_batches_are_read_and_the_rest_waits(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    moody = Moody()
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, listener=moody, batch_messages=4)
    async with running(collector), gateway(broker) as client:
        await hello(client)
        await until(lambda: len(collector.readings.latest(f"{BRANCH}/gateway")) == 2)
        moody.may_take = False
        sizes = note_batches(collector)
        await send_packs(client, [1])
        await until(lambda: collector.unavailable() == ["listener"])
        await send_packs(client, range(2, 42))
        await until(lambda: collector.inbox() >= 40 - 4 * UNDER_WAY)
        assert len(sizes) <= UNDER_WAY
        assert [found.path for found in collector.readings.latest(f"{BRANCH}/atm-01")] == ["cdm/unit1/count"]
        moody.may_take = True
        await until(lambda: committed(collector) == {BRANCH: 41})
    stored = [value for _, path, _, value, _ in moody.readings if path == "cdm/unit1/count"]
    assert sorted(stored) == list(range(1, 42))


async def test_each_batch_is_acknowledged_once_it_is_committed_and_before_the_next(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, batch_messages=3)
    done: list[tuple[str, int]] = []
    async with running(collector), gateway(broker) as client:
        await hello(client)
        await until(lambda: committed(collector) == {BRANCH: 0})
        intake = collector._intake
        commit, acknowledge = intake._reception.commit, intake._started.acknowledge

        async def note_commit(prepared: Prepared) -> None:
            await commit(prepared)
            done.append(("committed", len(prepared.packs)))

        def note_acknowledgement(batch: Batch) -> None:
            done.append(("acknowledged", len(batch.messages)))
            acknowledge(batch)

        intake._reception.commit = note_commit  # type: ignore[method-assign]
        intake._started.acknowledge = note_acknowledgement  # type: ignore[method-assign]
        await send_packs(client, range(1, 31))
        await until(lambda: committed(collector) == {BRANCH: 30})
    done = done[next(place for place, (what, _) in enumerate(done) if what == "committed") :]
    assert [what for what, _ in done] == ["committed", "acknowledged"] * (len(done) // 2)
    assert sum(count for what, count in done if what == "committed") >= 30 - 3 * UNDER_WAY


async def test_what_had_arrived_is_finished_at_the_stop(broker: BrokerSettings, ops: Database, tmp_path: Path) -> None:
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker, batch_messages=20, batch_age_ms=10_000)
    sizes = note_batches(collector)
    async with gateway(broker) as client:
        async with running(collector):
            await hello(client)
            await send_packs(client, range(1, 51))
            await until(lambda: sum(sizes) + collector.inbox() == 52)
        assert max(sizes) == 20
        again = make_collector(tmp_path, ops, SystemClock(), broker=broker)
        async with running(again):
            assert committed(again) == {BRANCH: 50}
            await send_packs(client, [51])
            await until(lambda: committed(again) == {BRANCH: 51})
            assert [found.duplicates_dropped for found in again.intake_status()] == [0], "they were acknowledged"


async def test_a_failure_of_reading_ends_the_process_in_order(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    collector = make_collector(tmp_path, ops, SystemClock(), broker=broker)

    async def fail(_messages: Sequence[Message]) -> Prepared:
        raise RuntimeError("a bug")

    collector._intake._reception.prepare = fail  # type: ignore[method-assign,assignment]
    supervisor, started = Supervisor(), asyncio.Event()
    for service in collector.services():
        supervisor.add(service)
    async with gateway(broker) as client:
        await hello(client)
        with pytest.raises(BaseExceptionGroup) as failure:
            await asyncio.wait_for(supervisor.run(started.set), 20)
    assert started.is_set()
    assert failure.group_contains(RuntimeError, match="a bug")
