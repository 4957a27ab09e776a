"""Counts RTP packets and the gaps in their numbers. Pure.

Source: RFC 3550 section 5.1 (header), appendix A.1 (numbers that wrap, jump or come late).
"""

from typing import Final

_HEADER_BYTES: Final = 12
_VERSION: Final = 2
_JUMP: Final = 3000
_LATE: Final = 100
_NUMBERS: Final = 1 << 16


class PacketCount:
    """Figures of one stream.

    Attributes:
        packets: sound packets.
        bytes: their bytes, headers included.
        malformed: packets that are no RTP.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0
        self.malformed = 0
        self._highest: int | None = None
        self._expected = 0
        self._received = 0

    def add(self, packet: bytes) -> None:
        """Count a packet."""
        if len(packet) < _HEADER_BYTES or packet[0] >> 6 != _VERSION:
            self.malformed += 1
            return
        self.packets += 1
        self.bytes += len(packet)
        self._number(int.from_bytes(packet[2:4], "big"))

    def _number(self, number: int) -> None:
        if self._highest is None:
            self._highest, self._expected, self._received = number, 1, 1
            return
        ahead = (number - self._highest) % _NUMBERS
        if ahead == 0:
            return  # the same again
        if ahead < _JUMP:
            self._highest = number
            self._expected += ahead
            self._received += 1
        elif ahead >= _NUMBERS - _LATE:
            self._received += 1  # late, it fills a gap
        else:
            self._highest = number  # the camera began to count anew
            self._expected += 1
            self._received += 1

    @property
    def loss(self) -> float:
        """Share of packets that did not come, 0 to 1; 0 where none came at all."""
        if self._expected == 0:
            return 0.0
        return max(0.0, 1 - self._received / self._expected)
