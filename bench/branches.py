"""Branches for benchmarks: an ATM, an alarm panel, a footfall sensor and a gateway each, with what the catalogue says they report."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from collector.series import DERIVED_PATHS
from contracts.devices import KINDS
from contracts.identity import branch_of
from contracts.signals import Condition, Signal, Sort
from rules.files import load_rules
from rules.kinds.increase import IncreaseClause
from rules.pattern import PathPattern

DEVICES: Final = {"atm-01": "atm", "alarm-01": "alarm_panel", "footfall-01": "footfall_sensor", "gateway": "gateway"}
PARTS: Final = 4
"""Cassettes, zones and other numbered parts of a kind: as many as a dispenser has cassettes."""

_NUMBERED: Final = re.compile(r"\{n\}")
_NAMED: Final = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class BenchDevice:
    """A device as inventories list it."""

    device_id: str
    kind: str

    @property
    def branch_id(self) -> str:
        return branch_of(self.device_id)


@dataclass(frozen=True, slots=True)
class BenchSeries:
    """A signal of a device that is reported as a number or a state.

    Attributes:
        device_id: full device id.
        path: concrete path.
        signal: its catalogue row.
    """

    device_id: str
    path: str
    signal: Signal

    def value(self, step: int) -> float:
        """A number or ordinal of sound operation; gauges and counters move with ``step``, counters of trouble stand still."""
        if self.signal.sort is Sort.STATE:
            return float(_sound_ordinal(self.signal))
        if self.signal.sort is Sort.COUNTER:
            return 0.0 if _counts_trouble(self.path) else float(step)
        low, high = self.signal.bounds
        usual = 0.0 if low is None else 50.0 if high is None or high > 50 else high / 2
        return usual + step % 2 * min(0.5, usual / 2 or 0.5)

    def word_or_value(self, step: int) -> float | str:
        """The same as it stands in a pack."""
        value = self.value(step)
        return self.signal.states[int(value)].word if self.signal.sort is Sort.STATE else value


def _sound_ordinal(signal: Signal) -> int:
    return next((index for index, state in enumerate(signal.states) if state.condition is Condition.OK), 0)


@functools.cache
def _trouble() -> list[PathPattern]:
    """Counters whose growth a rule minds."""
    clauses = (clause for rule in load_rules() for clause in rule.when)
    return [PathPattern(clause.increase) for clause in clauses if isinstance(clause, IncreaseClause)]


@functools.cache
def _counts_trouble(path: str) -> bool:
    return any(pattern.part_of(path) is not None for pattern in _trouble())


def devices_of(branch_id: str) -> list[BenchDevice]:
    """Devices of a branch, the gateway last."""
    return [BenchDevice(f"{branch_id}/{local_id}", kind) for local_id, kind in DEVICES.items()]


def series_of(device: BenchDevice) -> Iterator[BenchSeries]:
    """What a device reports, events left out, in the catalogue's order."""
    for row in KINDS[device.kind].signals:
        if row.sort is Sort.EVENT or row.path in DERIVED_PATHS:
            continue
        numbers = range(1, PARTS + 1) if _NUMBERED.search(row.path) else (1,)
        for number in numbers:
            path = _NAMED.sub("main", _NUMBERED.sub(str(number), row.path))
            if KINDS[device.kind].signal(path) is not None:
                yield BenchSeries(device.device_id, path, row)


def branch_ids() -> Iterator[str]:
    """Ids without end."""
    number = 0
    while True:
        number += 1
        yield f"BR{number:05d}"
