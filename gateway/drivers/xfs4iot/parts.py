"""Which part of the device catalogue a storage unit is, and the number it keeps.

Units are numbered in the order of ``status.index`` when first seen and known again by serial number or, without one, by id.
A cassette that was never seen takes the number of one that left, so that swapped cassettes do not grow the machine. The
numbers are the machine's: two services that share their cassettes, as those of some recyclers do, tell of the same parts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from gateway.drivers.xfs4iot.storage_unit import Unit
from runtime.logs import get_logger

_log = get_logger(__name__)

PARTS_MOST: Final = 96
"""Parts of one machine; the largest real ones have about two dozen."""

_UNIT: Final = "unit/"

_CASH_FAMILIES: Final = (
    ("cashOut", "cdm/unit"),
    ("cashIn", "cim/unit"),
    ("reject", "cdm/reject"),
    ("cashOutRetract", "cdm/retract"),
    ("cashInRetract", "cim/retract"),
)
"""The first type that a unit has decides; a recycler (cashIn and cashOut) so is a dispensing unit."""

_CARD_FAMILIES: Final = {"retain": "idc/retain", "dispense": "idc/stock", "park": "idc/park"}


def family_of(unit: Unit, components: Iterable[str]) -> str | None:
    """Part family such as ``cdm/unit``; ``None`` where the catalogue has no part for the unit.

    Args:
        unit: the unit.
        components: components of the service that owns it; a printer's bin belongs to the printer, a card bin to the
            card reader that the machine is watched for.
    """
    ours = tuple(components)
    if unit.sort == "cash":
        return next((family for type_, family in _CASH_FAMILIES if type_ in unit.types), None)
    if unit.sort == "card" and "idc" in ours:
        return next((family for type_, family in _CARD_FAMILIES.items() if type_ in unit.types), None)
    if unit.sort == "printer":
        return next((f"{component}/retract" for component in ours if component in {"prr", "prp"}), None)
    return None


@dataclass(frozen=True, slots=True)
class Owner:
    """The unit that has a part's number.

    Attributes:
        key: its key in the storage map.
        id: id on its label.
        serial: last serial number it told; a unit that is taken out may lose it and keeps its place.
        services: services that list it; empty once none does.
    """

    key: str
    id: str = ""
    serial: str = ""
    services: tuple[str, ...] = ()


@dataclass(slots=True)
class Assignment:
    """Parts of a whole reading.

    Attributes:
        parts: unit key → part path such as ``cdm/unit1``.
        new: parts that are another unit than before, or none before.
        absent: parts that this service listed and no longer does.
        left_out: keys of units for which there was no number.
    """

    parts: dict[str, str] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)


class PartNumbers:
    """Numbers of the parts of one machine; outlives the process.

    Args:
        has_left: tells of a service whether the machine neither lists it nor answers on it; its units are then free to be
            known again in another service.
    """

    def __init__(self, has_left: Callable[[str], bool] = lambda _service: False) -> None:
        self._has_left = has_left
        self._owners: dict[str, Owner] = {}  # part path → the unit that has it
        self._texts: dict[str, str] = {}

    def assign(self, service: str, units: Iterable[Unit], components: Iterable[str]) -> Assignment:
        """Give each unit of a service's whole reading its part."""
        ours = tuple(components)
        families: dict[str, list[Unit]] = {}
        for unit in sorted(units, key=_order):
            family = family_of(unit, ours)
            if family is not None:
                families.setdefault(family, []).append(unit)
        assignment = Assignment()
        for family, members in families.items():
            self._assign_family(service, family, members, assignment)
        here = set(assignment.parts.values())
        assignment.absent = {
            path for path, owner in self._owners.items() if service in owner.services and path not in here
        }
        return assignment

    def leave(self, service: str, part: str) -> bool:
        """A service no longer lists a part; returns whether that was the last one.

        The number stays free for the unit's return or for another unit, but is not kept over the process.
        """
        owner = self._owners[part]
        services = tuple(name for name in owner.services if name != service and not self._has_left(name))
        self._own(part, replace(owner, services=services))
        return not services

    def recall(self, kept: Mapping[str, str]) -> None:
        """Go on from what was kept, where this object does not know better."""
        for key, text in kept.items():
            part = key.removeprefix(_UNIT)
            if key.startswith(_UNIT) and part not in self._owners and len(self._owners) < PARTS_MOST:
                try:
                    self._own(part, msgspec.json.decode(text, type=Owner))
                except msgspec.DecodeError as error:
                    _log.warning("number of a part cannot be read", part=part, text=text[:100], error=str(error))

    def to_keep(self) -> dict[str, str]:
        """Owners of the parts that a service lists."""
        return {f"{_UNIT}{part}": self._texts[part] for part, owner in self._owners.items() if owner.services}

    def _assign_family(self, service: str, family: str, members: list[Unit], assignment: Assignment) -> None:
        free = [path for path in self._owners if path.rstrip("0123456789") == family]
        free.sort(key=lambda path: int(path[len(family) :]))
        newcomers = members
        for is_same in (self._is_same_serial, self._is_same_place):
            unknown = []
            for unit in newcomers:
                known = [path for path in free if is_same(path, unit, service)]
                if known:
                    path = next((path for path in known if self._owners[path].key == unit.key), known[0])
                    free.remove(path)
                    self._take(path, unit, service, assignment)
                else:
                    unknown.append(unit)
            newcomers = unknown
        left = [path for path in free if self._is_free_for(path, service)]
        for unit in newcomers:
            if left:
                path = next((path for path in left if self._owners[path].key == unit.key), left[0])
                left.remove(path)
                del self._owners[path]
            elif len(self._owners) < PARTS_MOST:
                path = next(
                    path for number in range(1, PARTS_MOST + 2) if (path := f"{family}{number}") not in self._owners
                )
            else:
                assignment.left_out.append(unit.key)
                continue
            assignment.new.add(path)
            self._take(path, unit, service, assignment)

    def _take(self, path: str, unit: Unit, service: str, assignment: Assignment) -> None:
        before = self._owners.get(path, Owner(unit.key))
        others = {name for name in before.services if not self._has_left(name)}
        services = tuple(sorted({*others, service}))
        self._own(path, Owner(unit.key, unit.id or before.id, unit.serial or before.serial, services))
        assignment.parts[unit.key] = path

    def _own(self, path: str, owner: Owner) -> None:
        if self._owners.get(path) != owner:
            self._owners[path] = owner
            self._texts[path] = msgspec.json.encode(owner).decode()

    def _is_free_for(self, path: str, service: str) -> bool:
        services = self._owners[path].services
        return service in services or all(self._has_left(name) for name in services)

    def _is_same_serial(self, path: str, unit: Unit, _service: str) -> bool:
        return bool(unit.serial) and self._owners[path].serial == unit.serial

    def _is_same_place(self, path: str, unit: Unit, service: str) -> bool:
        """Whether it is the same by id or key, which are unique in one service only."""
        owner = self._owners[path]
        if (owner.serial and unit.serial) or not self._is_free_for(path, service):
            return False
        return owner.id == unit.id if owner.id and unit.id else owner.key == unit.key


def _order(unit: Unit) -> tuple[int, str]:
    return (unit.index if unit.index is not None else 1 << 31, unit.key)
