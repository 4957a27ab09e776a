"""From storage units to observations and counters: one row a signal."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from contracts.signals import DeviceKind
from gateway.driver import Observation
from gateway.drivers.xfs4iot.counters import Counters
from gateway.drivers.xfs4iot.parts import PartNumbers
from gateway.drivers.xfs4iot.properties import Complaints, section
from gateway.drivers.xfs4iot.storage_unit import Unit, read_unit

UNITS_MOST: Final = 64
"""Storage units of one service; the largest real recyclers have about a dozen."""


def _count(unit: Unit) -> float | None:
    return unit.card_count if unit.sort == "card" else unit.notes if unit.sort == "cash" else None


ROWS: Final[tuple[tuple[str, Callable[[Unit], float | str | None]], ...]] = (
    ("count", _count),
    ("initial", lambda unit: unit.total("initial")),
    ("capacity", lambda unit: unit.capacity),
    ("low_threshold", lambda unit: unit.low_threshold),
    ("denomination", lambda unit: unit.face_value),
    ("replenishment", lambda unit: unit.replenishment),
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
        kind: device kind.
        counters: the machine's counters.
    """

    def __init__(self, kind: DeviceKind, counters: Counters) -> None:
        self._kind = kind
        self._counters = counters
        self._numbers = PartNumbers()
        self._units: dict[str, Unit] = {}
        self._parts: Mapping[str, str] = {}
        self._exchanged = False

    @property
    def counts_retained_cards(self) -> bool:
        """Whether the device itself counts the cards it keeps, so that events need not be counted."""
        return any(unit.retain_count is not None for unit in self._units.values())

    def is_card_bin(self, key: str) -> bool:
        """Whether a storage unit keeps cards."""
        return "retain" in self._units.get(key, Unit(key)).types

    def exchange_ended(self) -> None:
        """Somebody exchanged cassettes: counts that fall were set to 0."""
        self._exchanged = True

    def whole(
        self, payload: Mapping[str, Any], components: tuple[str, ...], at_ms: int, complaints: Complaints
    ) -> list[Observation]:
        """Take a completion of ``Storage.GetStorage``."""
        storage = section(payload, "storage", complaints)
        if len(storage) > UNITS_MOST:
            complaints.append(f"storage: expected at most {UNITS_MOST} units, got {len(storage)}")
        keys = [key for key in sorted(storage)[:UNITS_MOST] if len(key) <= 64]
        before = {part: self._units[key] for key, part in self._parts.items()}
        self._units = {key: read_unit(Unit(key), section(storage, key, complaints), complaints) for key in keys}
        assignment = self._numbers.assign(self._units.values(), components)
        self._parts = assignment.parts
        for part in assignment.swapped:
            self._counters.forget(part)
        seen: list[Observation] = []
        for key, part in self._parts.items():
            seen += self._observe(part, self._units[key], before.get(part), components, at_ms)
        self._exchanged = False
        return seen + self._cash_value(at_ms)

    def change(
        self, payload: Mapping[str, Any], components: tuple[str, ...], at_ms: int, complaints: Complaints
    ) -> list[Observation]:
        """Take a storage event, which names only what changed. Units not known yet wait for the next whole reading."""
        storage = section(payload, "storage", complaints) or payload
        seen: list[Observation] = []
        for key, part in self._parts.items():
            if isinstance(storage.get(key), Mapping):
                earlier = self._units[key]
                self._units[key] = read_unit(earlier, section(storage, key, complaints), complaints)
                seen += self._observe(part, self._units[key], earlier, components, at_ms)
        return seen + self._cash_value(at_ms) if seen else seen

    def _observe(
        self, part: str, unit: Unit, earlier: Unit | None, components: Iterable[str], at_ms: int
    ) -> list[Observation]:
        component = part.partition("/")[0]
        restarted = self._exchanged or (earlier is not None and earlier.total("initial") != unit.total("initial"))
        touched: list[str] = []
        for template, fed_by, read in GROWTH:
            path = template.replace("{part}", part).replace("{component}", component)
            total = read(unit)
            own = path.partition("/")[0] in components
            if component in fed_by and own and total is not None and self._kind.signal(path) is not None:
                self._counters.grow(path, f"{part}/{template}", total, restarted=restarted)
                touched.append(path)
        seen = []
        for signal, read_signal in ROWS:
            path = f"{part}/{signal}"
            value = read_signal(unit)
            if value is not None and self._kind.signal(path) is not None:
                seen.append(Observation(path, value, at_ms))
        return seen + [Observation(path, self._counters.total(path), at_ms) for path in touched]

    def _cash_value(self, at_ms: int) -> list[Observation]:
        """Value in the dispensing units, in the currency of the first one."""
        units = [
            self._units[key]
            for key, part in sorted(self._parts.items(), key=lambda item: item[1])
            if part.startswith("cdm/unit") and self._units[key].status != "missing"
        ]
        valued = [unit for unit in units if unit.face_value is not None]
        if not valued:
            return []
        value = sum(unit.notes * (unit.face_value or 0.0) for unit in valued if unit.currency == valued[0].currency)
        return [Observation("cdm/cash_value", value, at_ms)]
