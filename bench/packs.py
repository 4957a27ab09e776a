"""Packs of gateways for the benchmark of the intake, made a round at a time. Pure.

What differs between two gateways of one round is names, times and numbers of packs. So the readings of a round are written
once for several gateways, by the gateway's own encoder, and put under each one's name. From round to round gauges are noisy,
counters go up, counters of trouble stand still, and states are told again.
"""

import random
from dataclasses import dataclass
from typing import Final

from bench.branches import DEVICES, BenchSeries, devices_of, series_of
from contracts.gateway_messages import DeviceEntry, GatewayStatus, Inventory
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.reading import Reading
from contracts.signals import Sort
from contracts.topics import Channel, topic
from simulators.load.plausible import Series

READINGS_A_PACK: Final = 100

VARIANTS: Final = 16
"""Gateways in a row that report different numbers in a round; the next ones report the same again."""

SPREAD_MS: Final = len(DEVICES) - 1
"""From the first to the last reading of a pack: each device was read a millisecond after the one before."""

_NOBODY: Final = "BR0"
_VERSION: Final = "bench"


def series_of_a_gateway(count: int) -> list[BenchSeries]:
    """So many series of a branch, chosen evenly, so that sorts and devices have the share they have in the catalogue."""
    every = [found for device in devices_of(_NOBODY) for found in series_of(device)]
    if count > len(every):
        raise ValueError(f"{count} series of a gateway: expected at most {len(every)}, what the catalogue lists")
    return [every[number * len(every) // count] for number in range(count)]


@dataclass(frozen=True, slots=True)
class _Readings:
    """A pack's readings as bytes: what stands before the base time, and what after it."""

    before: bytes
    after: bytes

    def of(self, branch: bytes, at_ms: int) -> bytes:
        named = self.after.replace(_BASE_NAME, b'"bn":"%b/' % branch)
        return b"%b%.3f%b" % (self.before.replace(_BASE_NAME, b'"bn":"%b/' % branch), at_ms / 1000, named)


_BASE_NAME: Final = b'"bn":"%b/' % _NOBODY.encode()
_BASE_TIME: Final = b'"bt":'


class Rounds:
    """The readings of one round after the other. In a round every gateway sends one pack, some of its series in turn.

    Args:
        series: series of a gateway, a multiple of :data:`READINGS_A_PACK`.
        seed: same seed, same values.
    """

    def __init__(self, series: int, seed: int = 1) -> None:
        if series % READINGS_A_PACK:
            raise ValueError(f"{series} series of a gateway: expected a multiple of {READINGS_A_PACK}")
        chosen = series_of_a_gateway(series)
        self.packs_of_all = series // READINGS_A_PACK
        self._parts = [chosen[number :: self.packs_of_all] for number in range(self.packs_of_all)]
        self._seed = seed
        self._round = -1
        self._made: dict[int, _Readings] = {}

    def readings(self, number: int, variant: int) -> _Readings:
        """Readings of a round, from 0; earlier rounds are forgotten."""
        if number != self._round:
            self._round, self._made = number, {}
        found = self._made.get(variant)
        if found is None:
            found = self._made[variant] = self._make(number, variant)
        return found

    def _make(self, number: int, variant: int) -> _Readings:
        chance = random.Random(f"{self._seed}/{number}/{variant}")
        step, part = divmod(number, self.packs_of_all)
        places = {f"{_NOBODY}/{local_id}": place for place, local_id in enumerate(DEVICES)}
        fragment = encode_readings([
            Reading(
                one.device_id, one.path, _value(one, step, chance), places[one.device_id], one.signal.unit,
                one.signal.heartbeat_s,
            )
            for one in self._parts[part]
        ])  # fmt: skip
        before, time, after = fragment.partition(_BASE_TIME)
        return _Readings(before + time, after[after.index(b",") :])


def _value(one: BenchSeries, step: int, chance: random.Random) -> float | str:
    """Gauges with four digits, about what sensors resolve."""
    if one.signal.sort is not Sort.GAUGE:
        return one.word_or_value(step)
    return float(f"{Series(one.path, one.signal).reading(step, chance):.4g}")


class Sender:
    """One of the gateways.

    Args:
        branch_id: its branch.
        number: which of the gateways, from 0.
        boot: its outbox.
        rounds: shared by all of them.
    """

    def __init__(self, branch_id: str, number: int, boot: str, rounds: Rounds) -> None:
        self.telemetry = topic(branch_id, Channel.TELEMETRY).encode()
        self.backfill = topic(branch_id, Channel.BACKFILL).encode()
        self._branch_id = branch_id
        self._branch = branch_id.encode()
        self._boot = boot
        self._variant = number % VARIANTS
        self._rounds = rounds
        self.sent = 0

    def pack(self, now_ms: int, late_ms: int = 0) -> bytes:
        """Its next pack, observed now or so many milliseconds ago."""
        readings = self._rounds.readings(self.sent, self._variant)
        self.sent += 1
        header = Header(PackId(self._branch_id, self._boot, self.sent), now_ms)
        return encode_pack(header, [readings.of(self._branch, now_ms - SPREAD_MS - late_ms)])

    def announcements(self, now_ms: int) -> list[tuple[bytes, bytes]]:
        """Topic and payload of its status and its inventory, to be retained."""
        status = GatewayStatus(online=True, boot=self._boot, since=now_ms, version=_VERSION)
        devices = tuple(DeviceEntry(id=local_id, kind=kind, driver="bench") for local_id, kind in DEVICES.items())
        inventory = Inventory(branch_id=self._branch_id, devices=devices, announced_at=now_ms)
        return [
            (topic(self._branch_id, Channel.STATUS).encode(), status.model_dump_json().encode()),
            (topic(self._branch_id, Channel.INVENTORY).encode(), inventory.model_dump_json().encode()),
        ]
