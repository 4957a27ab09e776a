"""The MQTT wrapper against a real nats-server."""

import asyncio

import pytest

from contracts.errors import DependencyUnavailable
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings
from tests.conftest import free_port


async def take(client: MqttClient, count: int) -> list[Message]:
    got: list[Message] = []
    async with asyncio.timeout(20):
        while len(got) < count:
            got.extend(await client.receive(100))
    return got


async def test_a_message_not_acknowledged_comes_again_to_the_same_session(broker: BrokerSettings) -> None:
    listener = MqttClient(broker, "listener", clean_session=False, subscriptions=["t/+"])
    listener.start()
    await listener.wait_connected(10)
    sender = MqttClient(broker, "sender")
    sender.start()
    await sender.wait_connected(10)
    await asyncio.wait_for(sender.publish("t/1", b"done"), 10)
    await asyncio.wait_for(sender.publish("t/2", b"again"), 10)
    first, _second = await take(listener, 2)
    listener.acknowledge([first])
    await asyncio.sleep(0.5)  # the acknowledgement is on its way; the broker confirms nothing to wait for
    await listener.stop()

    again = MqttClient(broker, "listener", clean_session=False, subscriptions=["t/+"])
    again.start()
    messages = await take(again, 1)
    assert [message.payload for message in messages] == [b"again"]
    again.acknowledge(messages)
    await again.stop()
    await sender.stop()


async def test_what_overflows_the_inbox_is_asked_for_again(broker: BrokerSettings) -> None:
    listener = MqttClient(broker, "listener", clean_session=False, subscriptions=["t"], inbox_limit=10)
    listener.start()
    await listener.wait_connected(10)
    sender = MqttClient(broker, "sender")
    sender.start()
    await sender.wait_connected(10)
    for number in range(20):
        await asyncio.wait_for(sender.publish("t", str(number).encode()), 10)
    seen: set[bytes] = set()
    async with asyncio.timeout(60):
        while len(seen) < 20:
            messages = await listener.receive(100)
            seen.update(message.payload for message in messages)
            listener.acknowledge(messages)
            await asyncio.sleep(0.01)
    await sender.stop()
    await listener.stop()


async def test_connected_means_subscribed(broker: BrokerSettings) -> None:
    """A first connection has no session yet, so what is published before its subscription would be lost."""
    sender = MqttClient(broker, "sender")
    sender.start()
    await sender.wait_connected(10)
    for number in range(10):
        topics = [f"t{number}/{letter}" for letter in "abcd"]
        listener = MqttClient(broker, f"listener{number}", clean_session=False, subscriptions=topics)
        listener.start()
        await listener.wait_connected(10)
        for topic in topics:
            await asyncio.wait_for(sender.publish(topic, b"news"), 10)
        listener.acknowledge(await take(listener, len(topics)))
        await listener.stop()
    await sender.stop()


async def test_nobody_listening_is_said_with_the_address() -> None:
    port = free_port()
    client = MqttClient(BrokerSettings(port=port), "lonely")
    client.start()
    with pytest.raises(DependencyUnavailable, match=f"127.0.0.1:{port}: no connection within 0.5 s"):
        await client.wait_connected(0.5)
    await client.stop()
