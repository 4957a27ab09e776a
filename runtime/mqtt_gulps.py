"""paho-mqtt that takes many packets out of one read, and acknowledges many messages with one write.

paho reads a packet with four or five calls of the kernel, makes objects of it that we do not use, and acknowledges each message
by a queue entry, a wake-up and a send. That is 30 µs a message, and worse where the event loop is busy: after each call of
the kernel paho's thread has to wait for the interpreter, up to the switch interval.

What is rare goes through paho as ever: every packet but a PUBLISH with QoS 1, and everything that is malformed. The private parts
of paho that this needs are named in :data:`PRIVATE`. Where a release of paho has others, :data:`POSSIBLE` is false and
:mod:`runtime.mqtt` does without this module.
"""

import inspect
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from runtime.messages import Message

GULP_BYTES: Final = 1 << 20
"""Bytes read at a time at most."""

PRIVATE: Final = {
    "_loop_rc_handle": ("self", "rc"),
    "_packet_queue": ("self", "command", "packet", "mid", "qos", "info"),
    "_packet_read": ("self",),
    "_sock_recv": ("self", "bufsize"),
}
"""Methods of paho's client, not meant for others, that are called or overridden here, with their parameters."""

_PAUSE_S: Final = 0.01
_PUBLISH_QOS_1: Final = 0x32
_DUP_AND_RETAIN: Final = 0x09
_RETAIN: Final = 0x01
_PUBACK: Final = 0x40
_LONGEST_HEAD: Final = 5
_MOST_TOPICS: Final = 100_000


PRIVATE_FIELDS: Final = ("_ping_t", "_sock")
"""Fields of it, likewise."""


def _is_possible(client: type[paho.Client]) -> bool:
    methods = {name: getattr(client, name, None) for name in PRIVATE}
    fields = vars(client(CallbackAPIVersion.VERSION2))
    return all(name in fields for name in PRIVATE_FIELDS) and all(
        method is not None and tuple(inspect.signature(method).parameters) == PRIVATE[name]
        for name, method in methods.items()
    )


POSSIBLE: Final = _is_possible(paho.Client)
"""Whether this release of paho has the private parts that are needed."""


class GulpingClient(paho.Client):
    """A client that hands over messages with QoS 1 in lists instead of calling ``on_message``.

    Attributes:
        on_gulp: told of the messages of a read, in order, on paho's thread; must not raise.
        has_room: whether more may be read; while not, nothing is, and what is sent to us waits in the network and at the
            broker. Must not raise.
        connection: the number that messages are marked with.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_gulp: Callable[[list[Message]], None] = _ignore
        self.has_room: Callable[[], bool] = _always
        self.connection = 0
        self._read = b""
        self._at = 0
        self._topics: dict[bytes, str] = {}

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew; what was read of the old connection is nothing on the new one."""
        self._read, self._at = b"", 0
        return super().reconnect()

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Acknowledge messages with QoS 1, all at once."""
        packets = b"".join([b"\x40\x02%c%c" % divmod(mid, 256) for mid in mids])
        if packets:
            self._packet_queue(_PUBACK, packets, 0, 1)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002  (the signature is paho's)
        """Read once, and handle all packets that are whole."""
        if not self.has_room():
            self._ping_t = 0.0  # the answer to a ping is behind what is not read: do not miss it
            time.sleep(_PAUSE_S)  # the socket is readable all the time, so nothing else would wait
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            came = super()._sock_recv(GULP_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            came = b""
        if not came:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._read, self._at = self._read[self._at :] + came, 0
        while True:
            self._take_messages()
            if not self._has_whole_packet():
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            rc = self._packet_read()
            if rc > 0:
                return self._loop_rc_handle(rc)
            if self._sock is None:  # a callback ended the connection
                return MQTTErrorCode.MQTT_ERR_NO_CONN

    def _sock_recv(self, bufsize: int) -> bytes:
        """What paho reads for a packet of its own comes out of what was read before."""
        begin = self._at
        self._at = min(begin + bufsize, len(self._read))
        return self._read[begin : self._at]

    def _has_whole_packet(self) -> bool:
        """Whether paho can read the next packet, if only to find it malformed."""
        data, begin = self._read, self._at
        length, shift = 0, 0
        for place in range(begin + 1, min(len(data), begin + _LONGEST_HEAD)):
            length |= (data[place] & 127) << shift
            shift += 7
            if data[place] < 128:
                return len(data) > place + length
        return len(data) >= begin + _LONGEST_HEAD

    def _take_messages(self) -> None:
        """Take whole messages with QoS 1 off the front of what was read, up to the first packet that is something else."""
        data, topics, connection = self._read, self._topics, self.connection
        end, begin, messages = len(data), self._at, list[Message]()
        while end - begin > _LONGEST_HEAD and data[begin] & ~_DUP_AND_RETAIN == _PUBLISH_QOS_1:
            length, place = data[begin + 1], begin + 2
            if length > 127:  # seven bits a byte, the lowest first (MQTT 3.1.1, section 2.2.3)
                length += (data[place] << 7) - 128
                place += 1
                if length > 16_383:
                    length += (data[place] << 14) - 16_384
                    place += 1
                    if length > 2_097_151:
                        break  # too long for a pack, or malformed
            following = place + length
            named = place + 2 + (data[place] << 8 | data[place + 1])
            if following > end or named + 2 > following:
                break
            name = data[place + 2 : named]
            topic = topics.get(name) or self._learn(name)
            if not topic:
                break
            payload, mid = data[named + 2 : following], data[named] << 8 | data[named + 1]
            messages.append(Message(topic, payload, bool(data[begin] & _RETAIN), mid, 1, connection))
            begin = following
        if messages:
            self._at = begin
            self.on_gulp(messages)

    def _learn(self, name: bytes) -> str:
        """A topic's name as text, for ever the same object; empty where it is none, for paho to deal with."""
        try:
            topic = name.decode()
        except UnicodeDecodeError:
            return ""
        if len(self._topics) >= _MOST_TOPICS:
            self._topics.clear()
        self._topics[name] = topic
        return topic


def _always() -> bool:
    return True


def _ignore(_messages: list[Message]) -> None:
    """Until somebody listens."""
