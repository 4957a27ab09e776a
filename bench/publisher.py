"""A connection that only publishes: MQTT 3.1.1 with QoS 1, as cheap as it gets, so that a benchmark measures the other side."""

import socket
import struct
from typing import Final

_ANSWER_S: Final = 60
_TIMEVAL: Final = struct.Struct("@ll")
_CONNACK: Final = b"\x20\x02\x00\x00"
_PUBACK: Final = b"\x40\x02"
_PUBACK_BYTES: Final = 4
_DISCONNECT: Final = b"\xe0\x00"


def connect_packet(client_id: str) -> bytes:
    """CONNECT with a clean session and no keep-alive."""
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + _text(client_id.encode())
    return b"\x10" + _length(len(body)) + body


def publish_packet(topic: bytes, packet_id: int, payload: bytes, *, retain: bool = False) -> bytes:
    """PUBLISH with QoS 1."""
    length = _length(2 + len(topic) + 2 + len(payload))
    return b"".join((b"\x33" if retain else b"\x32", length, _text(topic), packet_id.to_bytes(2, "big"), payload))


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _length(length: int) -> bytes:
    """A remaining length: seven bits a byte, the lowest first (MQTT 3.1.1, section 2.2.3)."""
    out = bytearray()
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    out.append(length)
    return bytes(out)


class Publisher:
    """One connection.

    Args:
        port: of a broker on loopback.
        client_id: its name there.

    Raises:
        ConnectionError: the broker does not take the connection, or ends it later.
        OSError: it takes nothing for a minute.
    """

    def __init__(self, port: int, client_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S)
        self._socket.sendall(connect_packet(client_id))
        answer = self._socket.recv(len(_CONNACK), socket.MSG_WAITALL)
        if answer != _CONNACK:
            raise ConnectionError(
                f"broker on port {port}: answered {answer.hex()} to CONNECT, expected {_CONNACK.hex()}"
            )
        self._socket.settimeout(None)  # a timeout of Python's would make MSG_DONTWAIT wait
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(_ANSWER_S, 0))
        self._packet_id = 0
        self._sent = 0
        self._acknowledged_bytes = 0

    def fileno(self) -> int:
        """For :func:`select.select`."""
        return self._socket.fileno()

    @property
    def under_way(self) -> int:
        """Messages sent and not yet acknowledged by the broker."""
        return self._sent - self._acknowledged_bytes // _PUBACK_BYTES

    def send(self, messages: list[tuple[bytes, bytes]], *, retain: bool = False) -> None:
        """Publish topics with their payloads; returned means handed to the kernel."""
        packets = []
        for topic, payload in messages:
            self._packet_id = self._packet_id % 65_535 + 1
            packets.append(publish_packet(topic, self._packet_id, payload, retain=retain))
        self._socket.sendall(b"".join(packets))
        self._sent += len(packets)

    def hear(self) -> None:
        """Count the acknowledgements that have come; does not wait."""
        try:
            came = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not came:
            raise ConnectionError("the broker ended the connection of a sender; its log says why")
        if self._acknowledged_bytes % _PUBACK_BYTES == 0 and not came.startswith(_PUBACK[: len(came)]):
            raise ConnectionError(f"the broker sent {came[:8].hex()}, expected an acknowledgement")
        self._acknowledged_bytes += len(came)

    def close(self) -> None:
        """Disconnect."""
        self._socket.sendall(_DISCONNECT)
        self._socket.close()
