"""From storage units to observations and counters: one row a signal."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from contracts.signals import DeviceKind
from gateway.driver import Observation
from gateway.drivers.xfs4iot.counters import INITIAL, Counters, Reset
from gateway.drivers.xfs4iot.parts import PartNumbers
from gateway.drivers.xfs4iot.properties import Complaints, section
from gateway.drivers.xfs4iot.storage_unit import MISSING, Unit, fill_state, read_unit

UNITS_MOST: Final = 64
"""Storage units of one service; the largest real recyclers have about a dozen."""

ABSENT_READINGS_TO_MISSING: Final = 2
"""Readings in a row that leave a unit out, after which it is missing: one alone may be a machine that just starts."""


def _count(unit: Unit) -> float | None:
    return unit.card_count if unit.sort == "card" else unit.notes if unit.sort == "cash" else None


ROWS: Final[tuple[tuple[str, Callable[[Unit], float | str | None]], ...]] = (
    ("count", _count),
    ("initial", lambda unit: unit.total("initial")),
    ("capacity", lambda unit: unit.capacity),
    ("low_threshold", lambda unit: unit.low_threshold),
    ("denomination", lambda unit: unit.face_value),
    ("replenishment", fill_state),
    ("status", lambda unit: unit.status),
    ("operation", lambda unit: unit.operation),
    ("accuracy", lambda unit: unit.accuracy),
)
"""Signal of a part and where it stands in the unit; the device catalogue says which parts have it."""

GROWTH: Final[tuple[tuple[str, frozenset[str], Callable[[Unit], int | None]], ...]] = (
    ("{part}/dispensed", frozenset({"cdm"}), lambda unit: unit.total("out")),
    ("{part}/rejected", frozenset({"cdm"}), lambda unit: unit.total("out/rejected")),
    ("cdm/notes_dispensed", frozenset({"cdm"}), lambda unit: unit.total("out/presented")),
    ("cdm/notes_rejected", frozenset({"cdm"}), lambda unit: unit.total("out/rejected")),
    ("{component}/retract_operations", frozenset({"cdm", "cim"}), lambda unit: unit.retract_operations),
    ("cim/notes_accepted", frozenset({"cdm", "cim"}), lambda unit: unit.total("in/deposited")),
    ("cim/notes_suspect", frozenset({"cdm", "cim"}), lambda unit: unit.suspect_in),
    ("idc/retained", frozenset({"idc"}), lambda unit: unit.retain_count),
)
"""Counter, components whose parts feed it, and the unit's own count whose growth it follows."""


class StorageView:
    """The storage of one service as last seen; kept across reconnects.

    Args:
        service: name of the service.
        kind: device kind.
        counters: the machine's counters.
        numbers: the numbers of the machine's parts.
    """

    def __init__(self, service: str, kind: DeviceKind, counters: Counters, numbers: PartNumbers) -> None:
        self._service = service
        self._kind = kind
        self._counters = counters
        self._numbers = numbers
        self._units: dict[str, Unit] = {}
        self._parts: Mapping[str, str] = {}
        self._absent: dict[str, int] = {}  # part → readings in a row that left it out
        self._refilled: set[str] = set()  # parts whose initial count changed since the last whole reading
        self._unwatched = True
        self._touched = True
        self._touched_before_asked = True

    @property
    def counts_retained_cards(self) -> bool:
        """Whether the device itself counts the cards it keeps, so that events need not be counted."""
        return any(unit.retain_count is not None for unit in self._units.values())

    @property
    def is_doubtful(self) -> bool:
        """Whether the last reading left a unit out that the one before had, so that another should follow soon."""
        return any(readings < ABSENT_READINGS_TO_MISSING for readings in self._absent.values())

    def is_card_bin(self, key: str) -> bool:
        """Whether a storage unit keeps cards."""
        return "retain" in self._units.get(key, Unit(key)).types

    def exchange_ended(self) -> None:
        """Somebody exchanged cassettes: counts that fall were set to 0."""
        self._touched = True

    def watch_begins(self) -> None:
        """The service was out of reach: whatever may happen to cassettes may have happened unseen."""
        self._unwatched = self._touched = True

    def asked(self) -> None:
        """A whole reading is being asked for; what happens from now on it need not know."""
        self._touched_before_asked = self._touched

    def whole(
        self, payload: Mapping[str, Any], components: tuple[str, ...], at_ms: int, complaints: Complaints
    ) -> list[Observation]:
        """Take a completion of ``Storage.GetStorage``."""
        storage = section(payload, "storage", complaints)
        if len(storage) > UNITS_MOST:
            complaints.append(f"storage: expected at most {UNITS_MOST} units, got {len(storage)}")
        keys = [key for key in sorted(storage)[:UNITS_MOST] if len(key) <= 64 and isinstance(storage[key], Mapping)]
        self._units = {key: read_unit(Unit(key), section(storage, key, complaints), complaints) for key in keys}
        assignment = self._numbers.assign(self._service, self._units.values(), components)
        if assignment.left_out:
            complaints.append(f"storage: too many units in the machine, not watched: {', '.join(assignment.left_out)}")
        self._parts = assignment.parts
        for part in assignment.new:
            self._counters.forget(part)
        seen: list[Observation] = []
        for key, part in self._parts.items():
            seen += self._observe(part, self._units[key], components, at_ms)
        if self._units:
            seen += self._miss(assignment.absent, at_ms)
        self._refilled.clear()
        self._unwatched = False
        self._touched = self._touched and not self._touched_before_asked
        return seen + self._cash_value(components, at_ms)

    def change(
        self, payload: Mapping[str, Any], components: tuple[str, ...], at_ms: int, complaints: Complaints
    ) -> list[Observation]:
        """Take a storage event, which names only what changed. Units not known yet wait for the next whole reading."""
        storage = section(payload, "storage", complaints) or payload
        seen: list[Observation] = []
        for key, part in self._parts.items():
            if isinstance(storage.get(key), Mapping):
                self._units[key] = read_unit(self._units[key], section(storage, key, complaints), complaints)
                seen += self._observe(part, self._units[key], components, at_ms)
        return seen + self._cash_value(components, at_ms) if seen else seen

    def _observe(self, part: str, unit: Unit, components: Iterable[str], at_ms: int) -> list[Observation]:
        component = part.partition("/")[0]
        reset = self._reset(part, unit)
        touched: list[str] = []
        for template, fed_by, read in GROWTH:
            path = template.replace("{part}", part).replace("{component}", component)
            total = read(unit)
            own = path.partition("/")[0] in components
            if component in fed_by and own and total is not None and self._kind.signal(path) is not None:
                self._counters.grow(path, part, template, total, reset)
                touched.append(path)
        seen = []
        for signal, read_signal in ROWS:
            path = f"{part}/{signal}"
            value = read_signal(unit)
            if value is not None and self._kind.signal(path) is not None:
                seen.append(Observation(path, value, at_ms))
        return seen + [Observation(path, self._counters.total(path), at_ms) for path in touched]

    def _reset(self, part: str, unit: Unit) -> Reset:
        """Whether the counts of a unit may have been set to 0 since they were last read.

        Source: XFS4IoT, cash unit status: counts start anew when the operator sets the initial count. While somebody
        watches, a changed initial count whose other counts went on is taken as the machine tells it; after an absence
        nobody knows what they had come to before.
        """
        if unit.sort != "cash":
            return Reset.POSSIBLE  # a bin of cards is emptied without notice
        initial = unit.total(INITIAL)
        before = self._counters.last(part, INITIAL)
        self._counters.note(part, INITIAL, initial)
        if before is not None and before != initial:
            self._refilled.add(part)
            if self._unwatched:
                return Reset.SURE
        return Reset.POSSIBLE if self._touched or part in self._refilled else Reset.NO

    def _miss(self, absent: set[str], at_ms: int) -> list[Observation]:
        """Parts that this service no longer lists, and tell of those that are gone for good."""
        self._absent = {part: self._absent.get(part, 0) + 1 for part in absent}
        seen = []
        for part, readings in list(self._absent.items()):
            if readings >= ABSENT_READINGS_TO_MISSING:
                del self._absent[part]
                path = f"{part}/status"
                if self._numbers.leave(self._service, part) and self._kind.signal(path) is not None:
                    seen.append(Observation(path, MISSING, at_ms))
        return seen

    def _cash_value(self, components: Iterable[str], at_ms: int) -> list[Observation]:
        """Value in the dispensing units, in the currency of the first one."""
        units = [
            self._units[key]
            for key, part in sorted(self._parts.items(), key=lambda item: item[1])
            if part.startswith("cdm/unit") and self._units[key].status != MISSING
        ]
        valued = [unit for unit in units if unit.face_value is not None]
        if not valued or "cdm" not in components:
            return []
        value = sum(unit.notes * (unit.face_value or 0.0) for unit in valued if unit.currency == valued[0].currency)
        return [Observation("cdm/cash_value", value, at_ms)]
