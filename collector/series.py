"""The series registry: which number stands for which signal of which device."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, overload

from collector.store import SeriesRow
from collector.vocabulary import WRONG, Vocabulary
from contracts.devices import GATEWAY, KINDS
from contracts.readings import SeriesInfo
from contracts.signals import Presence, Signal, Sort
from runtime.logs import get_logger

_log = get_logger(__name__)

UPLINK_STATE: Final = "uplink/state"
MISSING_PACKS: Final = "uplink/missing_packs"
DERIVED_PATHS: Final = (UPLINK_STATE, MISSING_PACKS)
"""Signals of a gateway that the collector itself observes; they come in no pack."""

_NONE_FREE: Final = array("i", [WRONG])


def _retired(path: str) -> Signal:
    """Row for a series that the catalogue no longer lists; its history stays readable."""
    return Signal(path, Sort.GAUGE, Presence.IF_FITTED, None, "retired signal", "已停用信号", "an earlier catalogue")


class Shelf:
    """Where the series of a device stand, as the kind it was when they came.

    Attributes:
        kind: that kind.
        begin: its first place in :attr:`SeriesRegistry.places`.
        room: how many places it has there, one for each slot of the kind's paths; it grows, and moves to grow.
        apart: series by row whose path has no slot.
    """

    __slots__ = ("apart", "begin", "count", "kind", "room")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.begin = 0
        self.room = 0
        self.count = 0
        self.apart: dict[int, int] = {}


class SeriesRegistry:
    """Gives each (device, kind, path) one dense number, for ever.

    A device that changes its kind gets new series: the old numbers keep their meaning. The intake is the only writer.

    A series is a few numbers in arrays here and no object, so that a million of them stay small.

    Attributes:
        vocabulary: what their paths are.
        places: numbers of series, on each device's shelf by the slot of the path, -1 where it has none.
    """

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()
        self.places = array("i")
        self._row = array("i")
        self._device = array("i")
        self._device_ids: list[str] = []
        self._shelves: dict[str, tuple[int, list[Shelf]]] = {}
        self._stored = 0
        self._all = _AllSeries(self)

    def load(self, rows: Iterable[SeriesRow]) -> None:
        """Take what the store holds.

        Args:
            rows: ordered by number, dense from 0.

        Raises:
            ValueError: a number is missing or comes twice; the store is damaged.
        """
        for row in rows:
            if row.series != len(self._row):
                raise ValueError(
                    f"series {row.series} of {row.device_id} {row.path}: expected number {len(self._row)}; restore the store"
                )
            number = self.vocabulary.find(row.kind, row.path)
            if number is None:
                number = self._meet(row.kind, row.path, _signal(row) or _retired(row.path))
            self._add(row.device_id, row.kind, number)
        self._stored = len(self._row)

    def find(self, device_id: str, kind: str, path: str) -> SeriesInfo | None:
        """The series of a signal; ``None`` where it never had a reading."""
        row = self.vocabulary.find(kind, path)
        shelf = None if row is None else self.shelf(device_id, kind)
        number = None if row is None or shelf is None else self.number(shelf, row)
        return None if number is None else self.info(number)

    def take(self, device_id: str, kind: str, path: str) -> SeriesInfo | None:
        """The series of a signal, a new one where it has none; ``None`` where the kind has no such signal."""
        found = self.find(device_id, kind, path)
        if found is not None:
            return found
        row = self.vocabulary.find(kind, path)
        if row is None:
            signal = KINDS[kind].signal(path)
            if signal is None:
                return None
            row = self._meet(kind, path, signal)
        return self.info(self._add(device_id, kind, row))

    def info(self, series: int) -> SeriesInfo:
        """What a number stands for.

        Raises:
            IndexError: there is no such series.
        """
        row = self.vocabulary.rows[self._row[series]]
        return SeriesInfo(series, self._device_ids[self._device[series]], row.kind, row.path, row.signal)

    def shelf(self, device_id: str, kind: str) -> Shelf | None:
        """Where the series of a device stand, ``None`` while it has none as this kind."""
        _, shelves = self._shelves.get(device_id, (0, ()))
        return next((shelf for shelf in shelves if shelf.kind == kind), None)

    def number(self, shelf: Shelf, row: int) -> int | None:
        """The series of a path on a shelf; ``None`` where it has none."""
        slot = self.vocabulary.slots[row]
        if slot == WRONG:
            return shelf.apart.get(row)
        number = self.places[shelf.begin + slot] if slot < shelf.room else WRONG
        return None if number == WRONG else number

    def all(self) -> Sequence[SeriesInfo]:
        """All series; the index is the number. It grows in place, and makes what it is asked for."""
        return self._all

    def __len__(self) -> int:
        return len(self._row)

    def of_device(self, device_id: str) -> Sequence[SeriesInfo]:
        """Series of a device in the order of their first readings."""
        _, shelves = self._shelves.get(device_id, (0, ()))
        numbers: list[int] = []
        for shelf in shelves:
            placed = self.places[shelf.begin : shelf.begin + shelf.room]
            numbers += [number for number in placed if number != WRONG]
            numbers += shelf.apart.values()
        return [self.info(number) for number in sorted(numbers)]

    def count_of(self, device_id: str) -> int:
        """How many series a device has."""
        _, shelves = self._shelves.get(device_id, (0, ()))
        return sum(shelf.count for shelf in shelves)

    def unstored(self) -> list[SeriesRow]:
        """New series that the store has to be given with the next commit."""
        new = (self.info(number) for number in range(self._stored, len(self._row)))
        return [SeriesRow(info.series, info.device_id, info.kind, info.path) for info in new]

    def mark_stored(self, count: int) -> None:
        """The first ``count`` series are in the store."""
        self._stored = max(self._stored, count)

    def _meet(self, kind: str, path: str, signal: Signal) -> int:
        derived = kind == GATEWAY.name and path in DERIVED_PATHS
        return self.vocabulary.add(kind, path, signal, in_packs=not derived)

    def _add(self, device_id: str, kind: str, row: int) -> int:
        """Give a row of a device the next number."""
        series = len(self._row)
        known = self._shelves.get(device_id)
        if known is None:
            known = self._shelves[device_id] = (len(self._device_ids), [])
            self._device_ids.append(device_id)
        device, shelves = known
        shelf = next((shelf for shelf in shelves if shelf.kind == kind), None)
        if shelf is None:
            shelf = Shelf(kind)
            shelves.append(shelf)
        slot = self.vocabulary.slots[row]
        if slot == WRONG:
            shelf.apart[row] = series
        else:
            if slot >= shelf.room:
                self._make_room(shelf, slot)
            self.places[shelf.begin + slot] = series
        shelf.count += 1
        self._row.append(row)
        self._device.append(device)
        return series

    def _make_room(self, shelf: Shelf, slot: int) -> None:
        """Give a shelf room up to a slot: where it ends all others it grows, else it moves behind them."""
        held = self.places[shelf.begin : shelf.begin + shelf.room]
        if shelf.begin + shelf.room == len(self.places):
            del self.places[shelf.begin :]
        room = max(slot + 1, shelf.room * 3 // 2, 8)
        shelf.begin = len(self.places)
        self.places.extend(held)
        self.places.extend(_NONE_FREE * (room - len(held)))
        shelf.room = room


class _AllSeries(Sequence[SeriesInfo]):
    """The series of a registry by number, made when they are asked for."""

    def __init__(self, registry: SeriesRegistry) -> None:
        self._registry = registry

    def __len__(self) -> int:
        return len(self._registry)

    @overload
    def __getitem__(self, index: int) -> SeriesInfo: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SeriesInfo]: ...

    def __getitem__(self, index: int | slice) -> SeriesInfo | Sequence[SeriesInfo]:
        if isinstance(index, slice):
            return [self._registry.info(number) for number in range(*index.indices(len(self)))]
        return self._registry.info(range(len(self))[index])

    def __iter__(self) -> Iterator[SeriesInfo]:
        number = 0
        while number < len(self):
            yield self._registry.info(number)
            number += 1


def _signal(row: SeriesRow) -> Signal | None:
    kind = KINDS.get(row.kind)
    signal = None if kind is None else kind.signal(row.path)
    if signal is None:
        _log.warning("series of a retired signal", device_id=row.device_id, kind=row.kind, path=row.path)
    return signal
