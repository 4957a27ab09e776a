"""Basic encoding rules as far as SNMP needs them. Source: X.690; RFC 3417, section 8."""

from functools import lru_cache
from typing import Final

Oid = tuple[int, ...]

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_ID: Final = 0x06
SEQUENCE: Final = 0x30
COUNTER_32: Final = 0x41
GAUGE_32: Final = 0x42
TIME_TICKS: Final = 0x43
COUNTER_64: Final = 0x46

NO_SUCH_OBJECT: Final = b"\x80\x00"
NO_SUCH_INSTANCE: Final = b"\x81\x00"
END_OF_MIB_VIEW: Final = b"\x82\x00"

_LONGEST_LENGTH: Final = 4


def tlv(tag: int, content: bytes) -> bytes:
    """One element: tag, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """A number in two's complement; unsigned types never begin with a set bit."""
    bits = (value if value >= 0 else ~value).bit_length()
    return tlv(tag, value.to_bytes(bits // 8 + 1, "big", signed=True))


def octets(value: bytes | str) -> bytes:
    """A string of octets; text as UTF-8."""
    return tlv(OCTET_STRING, value.encode() if isinstance(value, str) else value)


@lru_cache(maxsize=4096)
def object_id(oid: Oid) -> bytes:
    """An object identifier of at least two arcs."""
    content = bytearray()
    for arc in (oid[0] * 40 + oid[1], *oid[2:]):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        content += bytes(reversed(digits))
    return tlv(OBJECT_ID, bytes(content))


class Reader:
    """Reads elements one after the other.

    Args:
        data: encoded elements.
        begin: where the first one begins.
        end: where the last one ends; by default with the data.
    """

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, begin: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = begin
        self._end = len(data) if end is None else end

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self._at >= self._end

    def element(self) -> tuple[int, int, int]:
        """Step over the next element; returns its tag and where its content begins and ends.

        Raises:
            ValueError: it is cut short, or its length is no length.
        """
        data, at = self._data, self._at
        if at + 2 > self._end:
            raise ValueError("element cut short")
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            digits = size & 0x7F
            if not 1 <= digits <= _LONGEST_LENGTH or at + digits > self._end:
                raise ValueError(f"length of {digits} octets")
            size = int.from_bytes(data[at : at + digits], "big")
            at += digits
        if at + size > self._end:
            raise ValueError(f"content of {size} octets, {self._end - at} are there")
        self._at = at + size
        return tag, at, at + size

    def of(self, tag: int) -> tuple[int, int]:
        """Step over an element that has to have a tag; returns where its content begins and ends.

        Raises:
            ValueError: it has another tag or is no element.
        """
        found, begin, end = self.element()
        if found != tag:
            raise ValueError(f"tag {found:#x}, expected {tag:#x}")
        return begin, end

    def inner(self, tag: int) -> "Reader":
        """A reader of the content of the next element, which has to have a tag."""
        return Reader(self._data, *self.of(tag))

    def integer(self) -> int:
        """The next element as a number of at most 8 octets."""
        begin, end = self.of(INTEGER)
        if not 1 <= end - begin <= 8:
            raise ValueError(f"number of {end - begin} octets")
        return int.from_bytes(self._data[begin:end], "big", signed=True)

    def octets(self) -> bytes:
        """The next element as octets."""
        begin, end = self.of(OCTET_STRING)
        return self._data[begin:end]

    def object_id(self) -> Oid:
        """The next element as an object identifier of at most 128 arcs."""
        begin, end = self.of(OBJECT_ID)
        arcs: list[int] = []
        arc = 0
        for octet in self._data[begin:end]:
            arc = arc << 7 | octet & 0x7F
            if not octet & 0x80:
                arcs.append(arc)
                arc = 0
            if arc >> 32 or len(arcs) > 128:
                raise ValueError("object identifier out of range")
        if not arcs or self._data[end - 1] & 0x80:
            raise ValueError("object identifier cut short")
        first = min(2, arcs[0] // 40)
        return (first, arcs[0] - first * 40, *arcs[1:])
