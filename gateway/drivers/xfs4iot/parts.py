"""Which part of the device catalogue a storage unit is, and the number it keeps.

Units are numbered in the order of ``status.index`` when first seen and known again by serial number or, without one, by id.
A cassette that was never seen takes the number of one that left, so that swapped cassettes do not grow the machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.drivers.xfs4iot.storage_unit import Unit

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
        components: components of the service that owns it; a printer's bin belongs to the printer.
    """
    if unit.sort == "cash":
        return next((family for type_, family in _CASH_FAMILIES if type_ in unit.types), None)
    if unit.sort == "card":
        return next((family for type_, family in _CARD_FAMILIES.items() if type_ in unit.types), None)
    if unit.sort == "printer":
        return next((f"{component}/retract" for component in components if component in {"prr", "prp"}), None)
    return None


@dataclass(slots=True)
class Assignment:
    """Parts of a whole reading.

    Attributes:
        parts: unit key → part path such as ``cdm/unit1``.
        swapped: parts whose unit is another one than before.
    """

    parts: dict[str, str] = field(default_factory=dict)
    swapped: set[str] = field(default_factory=set)


class PartNumbers:
    """Numbers of the parts of one service; kept across reconnects."""

    def __init__(self) -> None:
        self._owners: dict[str, Unit] = {}  # part path → the unit that has it

    def assign(self, units: Iterable[Unit], components: Iterable[str]) -> Assignment:
        """Give each unit of a whole reading its part."""
        ours = tuple(components)
        families: dict[str, list[Unit]] = {}
        for unit in sorted(units, key=_order):
            family = family_of(unit, ours)
            if family is not None:
                families.setdefault(family, []).append(unit)
        assignment = Assignment()
        for family, members in families.items():
            self._assign_family(family, members, assignment)
        return assignment

    def _assign_family(self, family: str, members: list[Unit], assignment: Assignment) -> None:
        owned = {path: unit for path, unit in self._owners.items() if path.rstrip("0123456789") == family}
        numbers = len(owned)
        newcomers = []
        for unit in members:
            path = next((path for path, owner in owned.items() if _is_same(owner, unit)), None)
            if path is None:
                newcomers.append(unit)
                continue
            assignment.parts[unit.key] = path
            self._owners[path] = unit if unit.serial else _with_serial_of(owned[path], unit)
            del owned[path]
        left = sorted(owned, key=lambda path: int(path[len(family) :]))
        for unit in newcomers:
            if left:
                path = next((path for path in left if owned[path].key == unit.key), left[0])
                left.remove(path)
                assignment.swapped.add(path)
            else:
                numbers += 1
                path = f"{family}{numbers}"
            assignment.parts[unit.key] = path
            self._owners[path] = unit


def _order(unit: Unit) -> tuple[int, str]:
    return (unit.index if unit.index is not None else 1 << 31, unit.key)


def _is_same(owner: Unit, unit: Unit) -> bool:
    if owner.serial and unit.serial:
        return owner.serial == unit.serial
    if owner.id and unit.id:  # a unit that was taken out may lose its serial number but keeps its place
        return owner.id == unit.id
    return owner.key == unit.key


def _with_serial_of(owner: Unit, unit: Unit) -> Unit:
    return owner if owner.serial else unit
