"""One storage unit as last seen: a cassette, a bin, a card stacker.

Counts are kept flat (``out/presented/typeUSD20A/fit`` → 842), so that an event that names one of them changes that one and
no more. What is kept of a unit is bounded, whatever the device sends.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.drivers.xfs4iot.properties import Complaints, by_name, count, number, section, text, word
from gateway.drivers.xfs4iot.vocabulary import fold

COUNTS_MOST: Final = 512
"""Counts kept of one unit; the richest real mix (8 note types × 5 qualities × 12 places) stays below."""

_COUNT_DEPTH_MOST: Final = 3
_TYPES: Final = ("cashOut", "cashIn", "reject", "cashOutRetract", "cashInRetract")
MISSING: Final = "missing"
RETRACT_OPERATIONS: Final = "retractOperations"


@dataclass(frozen=True, slots=True)
class Unit:
    """A storage unit.

    Attributes:
        key: its key in the storage map, ``unit1``.
        id: id on its label, empty where none.
        serial: serial number, empty where none or taken out.
        status: state of the unit itself.
        capacity: items it can hold, ``None`` where unknown.
        sort: ``cash``, ``card`` or ``printer``; empty for others.
        types: what a cash unit is for, or the type of a card unit.
        index: order among the units, ``None`` where it has none.
        currency: currency of a cash unit, empty where none.
        face_value: face value of its notes, ``None`` where mixed.
        low_threshold: notes under which it is low, ``None`` where sensors decide.
        high_threshold: notes or cards over which it is high; for cards to hand out the number under which it is low.
        max_retracts: retracts that fill it.
        replenishment: fill state.
        operation: what does not work, ``ok`` where all does, ``None`` where not told.
        accuracy: how far counts can be trusted.
        counts: flat counts of a cash unit.
        retract_operations: retracts into it.
        card_count: cards in it.
        retain_count: cards retained into it since it was emptied.
    """

    key: str
    id: str = ""
    serial: str = ""
    status: str | None = None
    capacity: int | None = None
    sort: str = ""
    types: frozenset[str] = frozenset()
    index: int | None = None
    currency: str = ""
    face_value: float | None = None
    low_threshold: int | None = None
    high_threshold: int | None = None
    max_retracts: int | None = None
    replenishment: str | None = None
    operation: str | None = None
    accuracy: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    retract_operations: int | None = None
    card_count: int | None = None
    retain_count: int | None = None

    def total(self, prefix: str) -> int:
        """Σ of the counts under ``initial``, ``in``, ``out`` or a place inside, such as ``out/presented``."""
        return sum(value for path, value in self.counts.items() if path.startswith(f"{prefix}/"))

    @property
    def notes(self) -> int:
        """Notes inside: Σ initial + Σ in − Σ out."""
        return max(0, self.total("initial") + self.total("in") - self.total("out"))

    @property
    def suspect_in(self) -> int:
        """Counterfeit and suspect notes taken in."""
        return sum(
            value
            for path, value in self.counts.items()
            if path.startswith("in/") and path.endswith(("/counterfeit", "/suspect"))
        )


def fill_state(unit: Unit) -> str | None:
    """Fill state as the unit tells it, else from its counts and thresholds; ``None`` where neither is known."""
    if unit.replenishment is not None:
        return unit.replenishment
    is_stock = "dispense" in unit.types
    inside = unit.card_count if unit.sort == "card" else unit.notes if unit.counts else None
    if inside is None or unit.sort == "printer":
        return None
    if unit.capacity is not None and inside >= unit.capacity:
        return "full"
    if unit.max_retracts is not None and (unit.retract_operations or 0) >= unit.max_retracts:
        return "full"
    if inside == 0:
        return "empty"
    if unit.high_threshold is not None and not is_stock and inside > unit.high_threshold:
        return "high"
    low = unit.high_threshold if is_stock else unit.low_threshold
    return "low" if low is not None and inside < low else "ok"


def read_unit(before: Unit, raw: Mapping[str, Any], complaints: Complaints) -> Unit:
    """Take what ``raw`` says about a unit over what was known before (a bare ``Unit(key)`` for a whole reading)."""
    changes: dict[str, Any] = {}
    for name, property_ in (("id", "id"), ("serial", "serialNumber")):
        if property_ in raw:
            changes[name] = text(raw, property_, 64)
    if "status" in raw:
        changes["status"] = word(raw, "status", complaints)
    if "capacity" in raw:
        changes["capacity"] = count(raw, "capacity", complaints) or None
    unit = replace(before, **changes) if changes else before
    for sort, read in (("cash", _read_cash), ("card", _read_card), ("printer", _read_printer)):
        if isinstance(raw.get(sort), Mapping):
            return replace(unit, sort=sort, **read(unit, section(raw, sort, complaints), complaints))
    return unit


def _read_cash(unit: Unit, cash: Mapping[str, Any], complaints: Complaints) -> dict[str, Any]:
    configuration = section(cash, "configuration", complaints)
    status = section(cash, "status", complaints)
    changes = _read_configuration(configuration, complaints) | _read_status(status, complaints)
    for owner in (configuration, section(cash, "capabilities", complaints)):
        types = by_name(section(owner, "types", complaints))
        if types:  # what it is used for, else what it could be used for
            changes["types"] = frozenset(name for name in _TYPES if types.get(fold(name)) is True)
            break
    if status and unit.operation is None:
        changes.setdefault("operation", "ok")
    changed = {
        path: value
        for place in ("initial", "in", "out")
        for path, value in _flatten(place, section(status, place, complaints), 1, complaints)
    }
    counts = {**unit.counts, **changed}
    if len(counts) > COUNTS_MOST:
        complaints.append(f"{unit.key}: expected at most {COUNTS_MOST} counts, got {len(counts)}")
    else:
        changes["counts"] = counts
    return changes


def _read_configuration(configuration: Mapping[str, Any], complaints: Complaints) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "currency" in configuration:
        changes["currency"] = text(configuration, "currency", 3)
    if "value" in configuration:
        changes["face_value"] = number(configuration, "value", complaints) or None
    for name, property_ in (
        ("low_threshold", "lowThreshold"),
        ("high_threshold", "highThreshold"),
        ("max_retracts", "maxRetracts"),
    ):
        if property_ in configuration:
            changes[name] = count(configuration, property_, complaints) or None
    return changes


def _read_status(status: Mapping[str, Any], complaints: Complaints) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "index" in status:
        changes["index"] = count(status, "index", complaints)
    if "replenishmentStatus" in status:
        changes["replenishment"] = word(status, "replenishmentStatus", complaints)
    if "operationStatus" in status:
        changes["operation"] = word(status, "operationStatus", complaints) or "ok"
    if "accuracy" in status:
        changes["accuracy"] = word(status, "accuracy", complaints)
    incoming = section(status, "in", complaints)
    if RETRACT_OPERATIONS in incoming:
        changes["retract_operations"] = count(incoming, RETRACT_OPERATIONS, complaints)
    return changes


def _flatten(path: str, owner: Mapping[str, Any], depth: int, complaints: Complaints) -> Iterator[tuple[str, int]]:
    for key, value in owner.items():
        if key == RETRACT_OPERATIONS or value is None:  # operations are not notes
            continue
        if isinstance(value, Mapping):
            if depth < _COUNT_DEPTH_MOST:
                yield from _flatten(f"{path}/{key[:32]}", value, depth + 1, complaints)
            continue
        notes = count(owner, key, complaints)
        if notes is not None:
            yield f"{path}/{key[:32]}", notes


def _read_card(_unit: Unit, card: Mapping[str, Any], complaints: Complaints) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    type_ = word(section(card, "capabilities", complaints), "type", complaints)
    if type_:
        changes["types"] = frozenset({type_})
    configuration = section(card, "configuration", complaints)
    if "threshold" in configuration:
        changes["high_threshold"] = count(configuration, "threshold", complaints) or None
    status = section(card, "status", complaints)
    if "count" in status:
        changes["card_count"] = count(status, "count", complaints)
    if "retainCount" in status:
        changes["retain_count"] = count(status, "retainCount", complaints)
    if "replenishmentStatus" in status:
        changes["replenishment"] = word(status, "replenishmentStatus", complaints)
    return changes


def _read_printer(_unit: Unit, printer: Mapping[str, Any], complaints: Complaints) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    status = section(printer, "status", complaints)
    if "index" in status:
        changes["index"] = count(status, "index", complaints)
    if "replenishmentStatus" in status:
        changes["replenishment"] = word(status, "replenishmentStatus", complaints)
    return changes
