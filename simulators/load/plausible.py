"""What the signals of a sound device read, without a device. Pure."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.signals import Condition, DeviceKind, Signal, Sort

PARTS: Final = 4
"""Cassettes, zones and other numbered parts of a device: as many as a dispenser has cassettes."""

_NUMBERED: Final = re.compile(r"\{n\}")
_NAMED: Final = re.compile(r"\{\w+\}")

_BY_UNIT: Final[dict[str | None, tuple[float, float]]] = {
    "/": (0.15, 0.45),
    "%EL": (97, 100),
    "B": (2e6, 9e6),
    "Cel": (22, 31),
    "Hz": (49.9, 50.1),
    "V": (222, 230),
    "bit/s": (2e5, 4e6),
    "count": (0, 0),
    "s": (0.02, 0.09),
    None: (50_000, 400_000),
}
"""Range of a gauge by its unit."""

_BY_PATH: Final = {
    "clock/skew": (-1.5, 1.5),
    "clock/sync_age": (60, 3600),
    "cdm/unit{n}/count": (600, 2000),
    "cdm/unit{n}/initial": (2000, 2000),
    "cdm/unit{n}/capacity": (2500, 2500),
    "cdm/unit{n}/low_threshold": (200, 200),
    "cdm/unit{n}/denomination": (100, 100),
    "cdm/reject{n}/capacity": (300, 300),
    "cdm/retract{n}/capacity": (200, 200),
    "cim/unit{n}/count": (100, 1500),
    "cim/unit{n}/capacity": (2500, 2500),
    "devices/expected": (10, 10),
    "devices/reachable": (10, 10),
    "hardware/temperature": (35, 48),
    "host/temperature": (45, 60),
    "host/uptime": (1e5, 2e6),
    "idc/retain{n}/capacity": (40, 40),
    "idc/stock{n}/count": (60, 180),
    "link/supervision_age": (1, 60),
    "prs/paper_level": (0.4, 0.9),
    "prs/toner_level": (0.4, 0.9),
    "recording/lag": (1, 5),
    "recording/retention": (2.55e6, 2.6e6),
    "region{n}/count": (0, 12),
    "region{n}/dwell": (60, 900),
    "rtsp/packet_loss": (0, 0.001),
    "sensor/imbalance": (0, 0.04),
    "sensor/last_count_age": (1, 120),
    "sensor/uptime": (1e5, 2e6),
    "total/occupancy": (0, 25),
    "uplink/certificate_left": (1.5e7, 2e7),
    "ups/battery_voltage": (27, 27.6),
    "ups/runtime": (1800, 2400),
}
"""Range of a gauge whose unit says too little."""


@dataclass(frozen=True, slots=True)
class Series:
    """A signal of a device that is reported as a number or a state.

    Attributes:
        path: path inside the device.
        signal: its row in the catalogue.
    """

    path: str
    signal: Signal

    def reading(self, step: int, chance: random.Random) -> float | str:
        """What a sound device reads: a number, or the first good word of a state. Counters grow by one a step."""
        if self.signal.sort is Sort.STATE:
            return next(state.word for state in self.signal.states if state.condition is Condition.OK)
        if self.signal.sort is Sort.COUNTER:
            return step
        low, high = _BY_PATH.get(self.signal.path, _BY_UNIT.get(self.signal.unit, (0.0, 1.0)))
        return round(chance.uniform(low, high), 3)


def series_of(kind: DeviceKind) -> Iterator[Series]:
    """What a device of a kind reports, in the catalogue's order; events and what the collector derives are left out."""
    for row in kind.signals:
        if row.sort is Sort.EVENT or row.source.startswith("collector"):
            continue
        for number in range(1, PARTS + 1) if _NUMBERED.search(row.path) else (1,):
            path = _NAMED.sub("main", _NUMBERED.sub(str(number), row.path))
            if kind.signal(path) is not None:
                yield Series(path, row)
