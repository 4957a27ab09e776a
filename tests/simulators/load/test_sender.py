"""The load on a real broker."""

import asyncio
from collections import Counter, defaultdict

import pytest

from contracts.errors import DependencyUnavailable
from contracts.gateway_messages import parse_inventory, parse_status
from contracts.pack import split_pack
from contracts.senml import decode, resolve
from contracts.topics import PREFIX, Channel, parse
from runtime.clock import SystemClock
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings
from simulators.load import Load, sender
from simulators.load.rounds import DEVICES, readings_of_a_branch
from tests.conftest import free_port

BRANCHES = 20


async def listen_to(broker: BrokerSettings, load: Load) -> tuple[list[Message], sender.LoadReport]:
    """Run a load to its end and collect what arrives."""
    listener = MqttClient(broker, "listener", clean_session=False, subscriptions=[f"{PREFIX}/#"])
    listener.start()
    await listener.wait_connected(20)
    messages: list[Message] = []
    try:
        running = asyncio.create_task(load.run())
        goodbyes = 0
        async with asyncio.timeout(60):
            while goodbyes < BRANCHES:
                taken = await listener.receive(500)
                listener.acknowledge(taken)
                messages += taken
                goodbyes += sum(
                    parse(message.topic).channel is Channel.STATUS and not parse_status(message.payload).online
                    for message in taken
                )
            report = await running
    finally:
        await listener.stop()
    return messages, report


async def test_every_branch_says_who_it_is_then_sends_packs_without_a_hole_and_says_goodbye(
    broker: BrokerSettings,
) -> None:
    load = Load(BRANCHES, broker, SystemClock(), rate=50_000, connections=3, duration_s=2)
    messages, report = await listen_to(broker, load)
    told: dict[str, list[Channel]] = defaultdict(list)
    seqs: dict[str, list[int]] = defaultdict(list)
    boots: dict[str, set[str]] = defaultdict(set)
    readings: Counter[str] = Counter()
    for message in messages:
        topic = parse(message.topic)
        told[topic.branch_id].append(topic.channel)
        if topic.channel is Channel.TELEMETRY:
            header, rest = split_pack(resolve(decode(message.payload)), topic.branch_id)
            seqs[topic.branch_id].append(header.pack_id.seq)
            boots[topic.branch_id].add(header.pack_id.boot)
            readings[topic.branch_id] += len(rest)
        elif topic.channel is Channel.INVENTORY:
            inventory = parse_inventory(message.payload, topic.branch_id)
            assert {device.id: device.kind for device in inventory.devices} == DEVICES
    assert len(told) == BRANCHES
    for branch, channels in told.items():
        assert channels[0] is channels[-1] is Channel.STATUS
        assert channels.count(Channel.INVENTORY) == 1
        assert sorted(set(seqs[branch])) == list(range(1, max(seqs[branch]) + 1)), "a pack is missing"
        assert readings[branch] >= readings_of_a_branch()
    assert len({boot for own in boots.values() for boot in own}) == BRANCHES
    assert report.packs == sum(max(own) for own in seqs.values())
    assert report.readings <= sum(readings.values())


async def test_a_load_ends_in_time_however_long_its_next_pack_would_wait(broker: BrokerSettings) -> None:
    load = Load(3, broker, SystemClock(), rate=0.1, connections=1, duration_s=1)
    async with asyncio.timeout(30):
        report = await load.run()
    assert report.seconds >= 1


async def test_the_rate_is_kept_and_an_end_asked_for_comes_at_once(
    broker: BrokerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_SAY_EVERY_S", 0.3)
    said: list[str] = []
    load = Load(BRANCHES, broker, SystemClock(), rate=2000, connections=2, say=said.append)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(load.run())
        async with asyncio.timeout(30):
            while len(said) < 3:
                await asyncio.sleep(0.05)
        load.end()
    report = running.result()
    assert 0.9 <= report.seconds < 30
    assert report.readings <= 2000 * report.seconds + readings_of_a_branch()
    assert any("readings/s" in line for line in said)


async def test_a_broker_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_CONNECT_S", 0.3)
    port = free_port()
    with pytest.raises(DependencyUnavailable, match=f"broker 127.0.0.1:{port}: no connection"):
        await Load(1, BrokerSettings(port=port), SystemClock()).run()
