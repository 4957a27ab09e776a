"""Packets taken out of large reads mean what paho says they mean, wherever the reads are cut."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from runtime import mqtt_gulps
from runtime.messages import Message
from runtime.mqtt_gulps import POSSIBLE, PRIVATE, GulpingClient

PINGRESP = b"\xd0\x00"


def packet(first_byte: int, body: bytes) -> bytes:
    length, head = len(body), bytearray([first_byte])
    while True:
        length, seven = divmod(length, 128)
        head.append(seven | (128 if length else 0))
        if not length:
            return bytes(head) + body


def publish(topic: bytes, payload: bytes, mid: int = 7, *, qos: int = 1, flags: int = 0) -> bytes:
    number = mid.to_bytes(2, "big") if qos else b""
    return packet(0x30 | qos << 1 | flags, len(topic).to_bytes(2, "big") + topic + number + payload)


publishes = st.builds(
    publish,
    st.sampled_from([b"t", b"branchwatch/v1/07/BR0421/telemetry", "Zählt".encode(), b"x" * 300]),
    st.one_of(st.binary(max_size=200), st.integers(0, 20_000).map(bytes)),
    st.integers(1, 65_535),
    qos=st.sampled_from([0, 1, 1, 1]),
    flags=st.sampled_from([0, 1, 8, 9]),
)
malformed = st.sampled_from([
    b"\x32\xff\xff\xff\xff\xff",  # a length of five bytes
    packet(0x32, b"\x00\x09short"),  # a topic longer than its packet
    packet(0x32, b"\x00\x01t"),  # no packet id
    packet(0x32, b"\x00\x00\x00\x01"),  # no topic
    packet(0x36, b"\x00\x01t\x00\x01"),  # QoS 3
    packet(0xF0, b""),
])  # fmt: skip


@contextmanager
def fed(kind: type[paho.Client]) -> Iterator[tuple[Any, socket.socket, list[tuple[Any, ...]]]]:
    """A client whose broker is the other end of a pair of sockets, and what it told of."""
    client: Any = kind(CallbackAPIVersion.VERSION2, client_id="fed", manual_ack=True)
    told: list[tuple[Any, ...]] = []

    def hear(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        told.append((message.topic, bytes(message.payload), message.retain, message.mid, message.qos))

    client.on_message = hear
    if isinstance(client, GulpingClient):
        client.on_gulp = lambda messages: told.extend(message[:5] for message in messages)
    ours, brokers = socket.socketpair()
    ours.setblocking(False)
    client._sock = ours
    try:
        yield client, brokers, told
    finally:
        client._sock = None
        ours.close()
        brokers.close()


def read_all(kind: type[paho.Client], pieces: list[bytes]) -> tuple[list[tuple[Any, ...]], bool]:
    """What a client tells of bytes that come in pieces, and whether it ended the connection."""
    with fed(kind) as (client, brokers, told):
        for piece in pieces:
            brokers.sendall(piece)
            for _ in range(len(piece) + 1):
                if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    return told, True
        return told, False


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(publishes, st.just(PINGRESP)), max_size=8), st.one_of(st.just(b""), malformed), st.data())
def test_messages_are_those_that_paho_reads_wherever_the_bytes_are_cut(
    packets: list[bytes], end: bytes, data: st.DataObject
) -> None:
    stream = b"".join(packets) + end
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[low:high] for low, high in zip([0, *cuts], [*cuts, len(stream)], strict=True) if low < high]
    assert read_all(GulpingClient, pieces) == read_all(paho.Client, pieces)


def test_a_topic_that_is_no_text_ends_nothing() -> None:
    broken = publish(b"\xff\xfe", b"lost")
    told, ended = read_all(GulpingClient, [publish(b"t", b"1") + publish(b"t", b"2", 8)])
    assert ([mid for *_, mid, _ in told], ended) == ([7, 8], False)
    with fed(GulpingClient) as (client, brokers, told):
        client.on_message = lambda *_: told.append(("paho was asked",))
        brokers.sendall(broken + publish(b"t", b"after"))
        client.loop_read()
    assert [found[0] for found in told] == ["paho was asked", "t"]


def test_the_end_of_the_connection_is_told() -> None:
    with fed(GulpingClient) as (client, brokers, _):
        brokers.close()
        assert client.loop_read() == MQTTErrorCode.MQTT_ERR_CONN_LOST


def test_half_a_packet_of_the_old_connection_is_forgotten_on_the_next() -> None:
    message = publish(b"t", b"payload")
    with fed(GulpingClient) as (client, brokers, told):
        brokers.sendall(message[:9])
        client.loop_read()
        with pytest.raises(ValueError, match="host"):  # no broker to connect to; it forgets before it looks for one
            client.reconnect()
        brokers.sendall(message)
        client.loop_read()
    assert [found[1] for found in told] == [b"payload"]


def test_a_batch_is_acknowledged_with_one_write_in_order() -> None:
    with fed(GulpingClient) as (client, brokers, _):
        client.acknowledge([1, 258, 65_535])
        client.acknowledge([])
        while client.want_write():
            client.loop_write()
        assert brokers.recv(100) == bytes.fromhex("40020001 40020102 4002ffff")


def test_messages_are_marked_with_the_connection_they_came_on() -> None:
    gulps: list[list[Message]] = []
    with fed(GulpingClient) as (client, brokers, _):
        client.on_gulp = gulps.append
        for client.connection in (3, 4):
            brokers.sendall(publish(b"t", b"") * 2)
            client.loop_read()
    assert [[message.connection for message in gulp] for gulp in gulps] == [[3, 3], [4, 4]]


def test_this_paho_has_the_private_parts_that_are_needed() -> None:
    """A later release may have others: then messages are read the public way, ten times as dear, until this module is mended."""
    assert POSSIBLE


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_a_paho_without_one_of_them_is_noticed(name: str) -> None:
    class Gone(paho.Client):
        pass

    setattr(Gone, name, None)
    assert not mqtt_gulps._is_possible(Gone)

    class Other(paho.Client):
        pass

    setattr(Other, name, lambda _self, _something, _else: None)
    assert not mqtt_gulps._is_possible(Other)
