"""The MQTT wrapper against a real nats-server."""

import asyncio
import socket
from pathlib import Path

import pytest

from contracts.errors import ConfigurationError, DependencyUnavailable
from runtime.broker import EmbeddedBroker
from runtime.mqtt import Message, MqttClient
from runtime.mqtt_gulps import GULP_BYTES
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
    await asyncio.wait_for(listener.publish("after", b""), 10)  # the broker has read what was sent before this
    await listener.stop()

    again = MqttClient(broker, "listener", clean_session=False, subscriptions=["t/+"])
    again.start()
    messages = await take(again, 1)
    assert [message.payload for message in messages] == [b"again"]
    again.acknowledge(messages)
    await again.stop()
    await sender.stop()


@pytest.fixture
def another_paho(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without the private parts that reading many packets at a time needs."""
    monkeypatch.setattr("runtime.mqtt.POSSIBLE", False)


@pytest.mark.parametrize(
    ("limit", "limit_bytes", "count", "payload_bytes", "most_at_once"),
    [(10, 2**30, 20, 2, 10), (1000, 1000, 4, 900, 2)],  # of bytes one beyond the bound at most
)
async def test_with_another_paho_what_overflows_the_inbox_is_asked_for_again(
    limit: int,
    limit_bytes: int,
    count: int,
    payload_bytes: int,
    most_at_once: int,
    broker: BrokerSettings,
    another_paho: None,
) -> None:
    listener = MqttClient(
        broker, "listener", clean_session=False, subscriptions=["t"], inbox_limit=limit, inbox_bytes=limit_bytes
    )
    sender = MqttClient(broker, "sender")
    for client in (listener, sender):
        client.start()
        await client.wait_connected(10)
    for number in range(count):
        await asyncio.wait_for(sender.publish("t", bytes([number]) * payload_bytes), 10)
    seen: set[bytes] = set()
    async with asyncio.timeout(60):
        while len(seen) < count:
            messages = await listener.receive(100)
            assert len(messages) <= most_at_once
            seen.update(message.payload for message in messages)
            listener.acknowledge(messages)
            await asyncio.sleep(0.01)
    await sender.stop()
    await listener.stop()


@pytest.mark.parametrize(("limit", "limit_bytes"), [(10, 2**30), (1000, 10 * 2**18)])
async def test_what_finds_no_room_waits_in_the_network_and_at_the_broker(
    limit: int, limit_bytes: int, mosquitto: BrokerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is dropped, the connection stays though the answers to its pings are not read, and each comes once."""
    monkeypatch.setattr("runtime.mqtt.KEEPALIVE_S", 1)
    listener = MqttClient(
        mosquitto, "listener", clean_session=False, subscriptions=["t"], inbox_limit=limit, inbox_bytes=limit_bytes
    )
    sender = MqttClient(mosquitto, "sender")
    for client in (listener, sender):
        client.start()
        await client.wait_connected(10)
    payloads = [bytes([number]) * 2**18 for number in range(60)]
    await asyncio.wait_for(asyncio.gather(*(sender.publish("t", payload) for payload in payloads)), 20)
    async with asyncio.timeout(10):
        while listener.waiting() < 10:
            await asyncio.sleep(0.01)
    await asyncio.sleep(4)  # four times the keep-alive
    assert listener.waiting() <= 10 + GULP_BYTES // 2**18
    messages = await take(listener, 60)
    assert [message.payload for message in messages] == payloads
    assert {message.connection for message in messages} == {1}
    listener.acknowledge(messages)
    await listener.stop()
    await sender.stop()


async def test_what_is_taken_is_bounded_in_messages_and_bytes(broker: BrokerSettings) -> None:
    listener = MqttClient(broker, "listener", clean_session=False, subscriptions=["t"])
    arrived = asyncio.Event()
    listener.on_arrival(arrived.set)
    listener.wake_at(5)
    listener.start()
    await listener.wait_connected(10)
    sender = MqttClient(broker, "sender")
    sender.start()
    await sender.wait_connected(10)
    for number in range(5):
        assert not arrived.is_set()
        await asyncio.wait_for(sender.publish("t", bytes([number]) * 100), 10)
    await asyncio.wait_for(arrived.wait(), 10)
    assert listener.waiting() == 5
    assert [len(listener.take(most, most_bytes)) for most, most_bytes in ((2, None), (5, 100), (5, 101))] == [2, 1, 2]
    assert listener.take(5) == []
    await sender.stop()
    await listener.stop()


async def test_nothing_of_an_earlier_connection_is_acknowledged(broker: BrokerSettings) -> None:
    listener = MqttClient(broker, "listener", clean_session=False, subscriptions=["t"])
    told: list[bool] = []
    listener.on_connection(told.append)
    listener.start()
    await listener.wait_connected(10)
    sender = MqttClient(broker, "sender")
    sender.start()
    await sender.wait_connected(10)
    await asyncio.wait_for(sender.publish("t", b"again"), 10)
    old = await take(listener, 1)
    connection = listener._client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)
    async with asyncio.timeout(20):
        while told != [True, False, True]:
            await asyncio.sleep(0.01)
    listener.acknowledge(old)
    new = await take(listener, 1)
    assert (new[0].payload, new[0].connection > old[0].connection) == (b"again", True)
    listener.acknowledge(new)
    await asyncio.wait_for(listener.publish("after", b""), 10)  # the broker has read what was sent before this
    await listener.stop()
    await sender.stop()


async def test_another_paho_is_used_the_public_way(broker: BrokerSettings, another_paho: None) -> None:
    await test_a_message_not_acknowledged_comes_again_to_the_same_session(broker)


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


async def test_with_another_paho_an_overflow_while_the_broker_is_away_is_made_good_when_it_is_back(
    tmp_path: Path, another_paho: None
) -> None:
    server = EmbeddedBroker(tmp_path, port=free_port(), ack_wait_s=2)
    await server.start()
    settings = BrokerSettings(port=server.port)
    listener = MqttClient(settings, "listener", clean_session=False, subscriptions=["t"], inbox_limit=5)
    sender = MqttClient(settings, "sender")
    for client in (listener, sender):
        client.start()
        await client.wait_connected(10)
    for number in range(10):
        await asyncio.wait_for(sender.publish("t", str(number).encode()), 10)
    async with asyncio.timeout(10):
        while listener.waiting() < 5:
            await asyncio.sleep(0.01)
    await server.stop()
    async with asyncio.timeout(10):
        while listener.connected:
            await asyncio.sleep(0.01)
    seen = {message.payload for message in await listener.receive(5)}
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        rest = group.create_task(listener.receive(100))
        await asyncio.sleep(0)  # it finds the inbox drained, the overflow, and nobody to ask
        await server.start()
        messages = await rest
        while len(seen) < 10:
            seen.update(message.payload for message in messages)
            listener.acknowledge(messages)
            messages = [] if len(seen) == 10 else await listener.receive(100)
    assert len(seen) == 10
    await sender.stop()
    await listener.stop()
    await server.stop()


async def test_a_certificate_authority_that_cannot_be_read_is_a_matter_of_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"broker\.tls_ca = .*nowhere\.pem'"):
        MqttClient(BrokerSettings(tls_ca=tmp_path / "nowhere.pem"), "client")


async def test_nobody_listening_is_said_with_the_address() -> None:
    port = free_port()
    client = MqttClient(BrokerSettings(port=port), "lonely")
    client.start()
    with pytest.raises(DependencyUnavailable, match=f"127.0.0.1:{port}: no connection within 0.5 s"):
        await client.wait_connected(0.5)
    await client.stop()
