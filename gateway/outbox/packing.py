"""How readings become fragments, and fragments packs, within the bounds of a message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.pack import MESSAGE_BYTES, encode_readings
from contracts.readings import Reading

PACK_BYTES_LIMIT: Final = MESSAGE_BYTES - 8 * 1024
"""Largest body of a pack, which leaves room for the header and the commas between fragments."""


@dataclass(frozen=True, slots=True)
class StoredPack:
    """A numbered pack: ``fragments`` joined behind a header are its message."""

    seq: int
    readings: int
    fragments: tuple[bytes, ...]


def fragments_of(readings: Sequence[Reading], most: int) -> Iterator[tuple[int, bytes]]:
    """Encode readings as fragments of at most ``most`` readings, with the count of each."""
    for start in range(0, len(readings), most):
        chunk = readings[start : start + most]
        payload = encode_readings(chunk)
        if len(payload) > PACK_BYTES_LIMIT and len(chunk) > 1:
            yield from fragments_of(chunk, (len(chunk) + 1) // 2)
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
