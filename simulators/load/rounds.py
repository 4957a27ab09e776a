"""The readings of one round of packs, one of each branch, as bytes that many branches share. Pure.

What differs between two branches of the same kind of round is names and times, and these stand only at the beginning of a
device's readings. So a device's readings are written once for all branches that report the same, and a pack is put
together from pieces without looking at any of its readings.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts import senml
from contracts.devices import KINDS
from contracts.identity import GATEWAY_DEVICE
from contracts.pack import Header, encode_pack
from contracts.senml import Record
from contracts.signals import Sort
from simulators.load.plausible import Series, series_of
from simulators.outfit import OUTFIT

DEVICES: Final = {GATEWAY_DEVICE: GATEWAY_DEVICE} | {fitting.local_id: fitting.kind for fitting in OUTFIT}
"""Kinds of the devices of a branch by local id, the gateway first."""

VARIANTS: Final = 16
"""Branches in a row that report different numbers in a round; the next ones report the same again."""

_SERIES: Final = {kind: tuple(series_of(KINDS[kind])) for kind in dict.fromkeys(DEVICES.values())}


@dataclass(frozen=True, slots=True)
class Share:
    """What some devices of a branch report in one pack.

    Attributes:
        pieces: local id of each device, and its readings as bytes that begin after the base name and time.
        readings: how many these are.
    """

    pieces: tuple[tuple[bytes, bytes], ...]
    readings: int


def readings_of_a_branch() -> int:
    """Series of a branch, the readings of its first snapshot."""
    return sum(len(_SERIES[kind]) for kind in DEVICES.values())


def snapshot(variant: int, seed: int, most: int) -> Sequence[Share]:
    """Every series of a branch, in packs of at most ``most`` readings where a single device has no more."""
    chance = random.Random(f"{seed}/snapshot/{variant}")
    shares: list[Share] = []
    for local_id, kind in DEVICES.items():
        piece = _piece(_SERIES[kind], 1, chance)
        count = len(_SERIES[kind])
        if shares and shares[-1].readings + count <= most:
            last = shares.pop()
            shares.append(Share((*last.pieces, (local_id.encode(), piece)), last.readings + count))
        else:
            shares.append(Share(((local_id.encode(), piece),), count))
    return shares


def live(number: int, variant: int, seed: int, readings: int) -> Share:
    """One pack of the live stream.

    Every device has a part in it, as large as its share of the series: first what counts and measures, which changes
    most, then states that are told again. From round to round the series take turns, so that none is left out.

    Args:
        number: round, from 1; counters stand at it.
        variant: which of the branches.
        seed: same seed, same values.
        readings: about how many readings the pack has.
    """
    chance = random.Random(f"{seed}/{number}/{variant}")
    share = min(1.0, readings / readings_of_a_branch())
    pieces: list[tuple[bytes, bytes]] = []
    total = 0
    for local_id, kind in DEVICES.items():
        series = _SERIES[kind]
        count = max(1, min(len(series), round(len(series) * share)))
        first = number * count % len(series)
        chosen = sorted((*series, *series)[first : first + count], key=lambda one: one.signal.sort is Sort.STATE)
        pieces.append((local_id.encode(), _piece(chosen, number + 1, chance)))
        total += count
    return Share(tuple(pieces), total)


def pack(branch: bytes, header: Header, share: Share, at_s: float) -> bytes:
    """Put a pack together.

    Args:
        branch: branch id.
        header: the gateway's records.
        share: the readings.
        at_s: when they were observed, seconds since 1970 UTC.
    """
    time = b'/","bt":%.3f,' % at_s
    opening = b'{"bn":"' + branch + b"/"
    return encode_pack(header, [opening + local_id + time + piece for local_id, piece in share.pieces])


def _piece(series: Sequence[Series], step: int, chance: random.Random) -> bytes:
    records = []
    for one in series:
        value = one.reading(step, chance)
        number = None if isinstance(value, str) else value
        text = value if isinstance(value, str) else None
        heartbeat_s = one.signal.heartbeat_s
        records.append(Record(n=one.path, u=one.signal.unit, v=number, vs=text, ut=heartbeat_s))
    return senml.encode_fragment(records)[1:]  # without the brace, behind which base name and time are put
