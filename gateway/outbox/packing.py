"""How readings become fragments, and fragments packs, within the bounds of a message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from contracts.pack import MESSAGE_BYTES, encode_readings
from contracts.reading import Reading

PACK_BYTES_LIMIT: Final = MESSAGE_BYTES - 8 * 1024
"""Largest body of a pack, which leaves room for the header and the commas between fragments."""


class Rank(IntEnum):
    """What a reading is worth where not all can be kept: the highest number goes first.

    A later gauge or counter says most of what an earlier one said; an event that is dropped is known to nobody.
    """

    EVENT = 0
    STATE = 1
    NUMBER = 2


def rank_of(reading: Reading) -> Rank:
    """Rank of a reading; an event has no time until its next update."""
    if reading.update_s is None:
        return Rank.EVENT
    return Rank.STATE if isinstance(reading.value, str) else Rank.NUMBER


@dataclass(frozen=True, slots=True)
class StoredPack:
    """A numbered pack: ``fragments`` joined behind a header are its message.

    Attributes:
        seq: its number.
        readings: readings it holds.
        fragments: encoded readings.
        dropped: readings it once held.
    """

    seq: int
    readings: int
    fragments: tuple[bytes, ...]
    dropped: int = 0


def fragments_of(readings: Sequence[Reading], most: int) -> Iterator[tuple[Rank, int, bytes]]:
    """Encode readings as fragments of one rank and at most ``most`` readings: rank, count and payload of each."""
    for rank in Rank:
        ranked = [reading for reading in readings if rank_of(reading) is rank]
        for count, payload in _encoded(ranked, most):
            yield rank, count, payload


def _encoded(readings: Sequence[Reading], most: int) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(readings), most):
        chunk = readings[start : start + most]
        payload = encode_readings(chunk)
        if len(payload) > PACK_BYTES_LIMIT and len(chunk) > 1:
            yield from _encoded(chunk, (len(chunk) + 1) // 2)
        else:
            yield len(chunk), payload


def packs_of(rows: Sequence[Any], most: int) -> list[list[Any]]:
    """Group fragment rows (id, stored_at_ms, readings, payload) to packs: in order, within both bounds, none empty."""
    groups: list[list[Any]] = []
    count = size = 0
    for row in rows:
        if not groups or count + row[2] > most or size + len(row[3]) > PACK_BYTES_LIMIT:
            groups.append([])
            count = size = 0
        groups[-1].append(row)
        count, size = count + row[2], size + len(row[3])
    return groups
