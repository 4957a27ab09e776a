"""Zones of a panel: which detector watches where."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

HALL, CASH, ATM_ROOM, VAULT = 1, 2, 3, 4
"""Areas of a branch; the vault is armed around the clock."""

AREAS = (HALL, CASH, ATM_ROOM, VAULT)


class Detector(StrEnum):
    """What a zone listens to."""

    CONTACT = "contact"
    MOTION = "motion"
    GLASS = "glass"
    SEISMIC = "seismic"
    HOLD_UP = "hold_up"
    SMOKE = "smoke"
    GAS = "gas"
    WATER = "water"


ALWAYS_AWAKE = frozenset({Detector.SEISMIC, Detector.HOLD_UP, Detector.SMOKE, Detector.GAS, Detector.WATER})
"""Detectors that alarm whether their area is armed or not."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its number from 1, its area, its detector."""

    number: int
    area: int
    detector: Detector


# 40 % motion, 20 % contacts, 10 % glass, 10 % seismic, 15 % hold-up, 5 % smoke; assumed shares. Zone 3 is the wall of the
# ATM room and zone 12 the button at the counter.
_PATTERN = (
    (HALL, Detector.CONTACT),
    (HALL, Detector.MOTION),
    (ATM_ROOM, Detector.SEISMIC),
    (HALL, Detector.GLASS),
    (CASH, Detector.MOTION),
    (CASH, Detector.CONTACT),
    (HALL, Detector.MOTION),
    (VAULT, Detector.MOTION),
    (ATM_ROOM, Detector.MOTION),
    (ATM_ROOM, Detector.CONTACT),
    (HALL, Detector.SMOKE),
    (CASH, Detector.HOLD_UP),
    (CASH, Detector.MOTION),
    (CASH, Detector.HOLD_UP),
    (HALL, Detector.HOLD_UP),
    (VAULT, Detector.CONTACT),
    (VAULT, Detector.MOTION),
    (CASH, Detector.GLASS),
    (VAULT, Detector.SEISMIC),
    (HALL, Detector.MOTION),
)

ENTRANCE_ZONE, HALL_ZONE, WALL_ZONE, RADIO_ZONE, SMOKE_ZONE, BUTTON_ZONE = 1, 2, 3, 5, 11, 12
"""Zones that failures happen to; zone 5 is a radio detector."""

_TECHNICAL = ((HALL, Detector.GAS), (VAULT, Detector.WATER))

RADIO_EVERY = 5
"""One zone in five is a radio detector with a battery of its own. Source: assumed."""


def layout(count: int = 16) -> tuple[Zone, ...]:
    """Zones 1 to ``count`` of a usual branch, and after them one for gas and one for water.

    Args:
        count: 12 or more, so that each kind of alarm has its zone; branches have 16 to 40.

    Raises:
        ValueError: fewer than 12.
    """
    if count < BUTTON_ZONE:
        raise ValueError(f"{count} zones: expected at least {BUTTON_ZONE}, the counter's hold-up button is zone 12")
    places = [_PATTERN[index % len(_PATTERN)] for index in range(count)]
    return tuple(Zone(number, *place) for number, place in enumerate([*places, *_TECHNICAL], 1))


def of_area(zones: Sequence[Zone], area: int) -> tuple[Zone, ...]:
    """Zones of an area that sleep while it is disarmed; these are the ones people bypass."""
    return tuple(zone for zone in zones if zone.area == area and zone.detector not in ALWAYS_AWAKE)
