"""Which question a datagram belongs to. Pure; reads only the head of a message, whatever follows.

Every message carries a number at a place that depends on the version: the request id of the PDU in versions 1 and 2c, the
message id of the header in version 3. An answer carries its question's number, so that a datagram that does not can be
told without decoding the rest.
"""

from typing import Final

from contracts.errors import DeviceMisbehaved

MOST_ANSWER_BYTES: Final = 16_384
"""Longest datagram looked at: the driver never asks for as much, and decoding a full 64 KB takes a second."""

_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_SEQUENCE: Final = 0x30
_PDU_FIRST: Final = 0xA0
_PDU_LAST: Final = 0xA8
_VERSION_3: Final = 3
_VERSIONS: Final = (0, 1, _VERSION_3)


def message_number(datagram: bytes) -> int:
    """Number by which question and answer belong together.

    Raises:
        DeviceMisbehaved: the datagram is no SNMP message.

    Source: RFC 1157 section 4, RFC 1901 section 3, RFC 3412 section 6.
    """
    if len(datagram) > MOST_ANSWER_BYTES:
        raise DeviceMisbehaved(f"datagram of {len(datagram)} bytes, expected at most {MOST_ANSWER_BYTES}")
    at, end = _enter(datagram, 0, len(datagram), _SEQUENCE)
    version, at = _integer(datagram, at, end)
    if version not in _VERSIONS:
        raise DeviceMisbehaved(f"message of SNMP version number {version}, expected one of {_VERSIONS}")
    if version == _VERSION_3:
        at, end = _enter(datagram, at, end, _SEQUENCE)
    else:
        at = _enter(datagram, at, end, _OCTETS)[1]
        tag = datagram[at] if at < end else 0
        if not _PDU_FIRST <= tag <= _PDU_LAST:
            raise DeviceMisbehaved(f"message with tag 0x{tag:02x} where a PDU is expected")
        at, end = _enter(datagram, at, end, tag)
    return _integer(datagram, at, end)[0]


def _enter(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Begin and end of the content of the element at ``at``, which must have that tag and fit."""
    if at + 2 > end or data[at] != tag:
        raise DeviceMisbehaved(f"no element with tag 0x{tag:02x} at byte {at} of {len(data)}")
    length = data[at + 1]
    begin = at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or begin + count > end:
            raise DeviceMisbehaved(f"element at byte {at} has no definite length")
        length = int.from_bytes(data[begin : begin + count], "big")
        begin += count
    if begin + length > end:
        raise DeviceMisbehaved(f"element at byte {at} is {length} bytes long, {end - begin} are there")
    return begin, begin + length


def _integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """An integer and where it ends."""
    begin, stop = _enter(data, at, end, _INTEGER)
    if not 1 <= stop - begin <= 8:
        raise DeviceMisbehaved(f"integer at byte {at} has {stop - begin} bytes, expected 1 to 8")
    return int.from_bytes(data[begin:stop], "big", signed=True), stop
