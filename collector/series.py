"""The series registry: which number stands for which signal of which device."""

from collections.abc import Iterable, Sequence
from typing import Final

from collector.store import SeriesRow
from contracts.devices import KINDS
from contracts.readings import SeriesInfo
from contracts.signals import Presence, Signal, Sort
from runtime.logs import get_logger

_log = get_logger(__name__)

UPLINK_STATE: Final = "uplink/state"
MISSING_PACKS: Final = "uplink/missing_packs"
DERIVED_PATHS: Final = (UPLINK_STATE, MISSING_PACKS)
"""Signals of a gateway that the collector itself observes; they come in no pack."""


def _retired(path: str) -> Signal:
    """Row for a series that the catalogue no longer lists; its history stays readable."""
    return Signal(path, Sort.GAUGE, Presence.IF_FITTED, None, "retired signal", "已停用信号", "an earlier catalogue")


class SeriesRegistry:
    """Gives each (device, kind, path) one dense number, for ever.

    A device that changes its kind gets new series: the old numbers keep their meaning. The intake is the only writer.
    """

    def __init__(self) -> None:
        self._all: list[SeriesInfo] = []
        self._by_key: dict[tuple[str, str, str], SeriesInfo] = {}
        self._by_device: dict[str, list[SeriesInfo]] = {}
        self._stored = 0

    def load(self, rows: Iterable[SeriesRow]) -> None:
        """Take what the store holds.

        Args:
            rows: ordered by number, dense from 0.

        Raises:
            ValueError: a number is missing or comes twice; the store is damaged.
        """
        for row in rows:
            if row.series != len(self._all):
                raise ValueError(
                    f"series {row.series} of {row.device_id} {row.path}: expected number {len(self._all)}; restore the store"
                )
            kind = KINDS.get(row.kind)
            signal = None if kind is None else kind.signal(row.path)
            if signal is None:
                _log.warning("series of a retired signal", device_id=row.device_id, kind=row.kind, path=row.path)
                signal = _retired(row.path)
            self._add(SeriesInfo(row.series, row.device_id, row.kind, row.path, signal))
        self._stored = len(self._all)

    def find(self, device_id: str, kind: str, path: str) -> SeriesInfo | None:
        """The series of a signal; ``None`` where it never had a reading."""
        return self._by_key.get((device_id, kind, path))

    def take(self, device_id: str, kind: str, path: str) -> SeriesInfo | None:
        """The series of a signal, a new one where it has none; ``None`` where the kind has no such signal."""
        found = self._by_key.get((device_id, kind, path))
        if found is not None:
            return found
        signal = KINDS[kind].signal(path)
        if signal is None:
            return None
        return self._add(SeriesInfo(len(self._all), device_id, kind, path, signal))

    def _add(self, info: SeriesInfo) -> SeriesInfo:
        self._all.append(info)
        self._by_key[info.device_id, info.kind, info.path] = info
        self._by_device.setdefault(info.device_id, []).append(info)
        return info

    def all(self) -> Sequence[SeriesInfo]:
        """All series; the index is the number. It grows in place."""
        return self._all

    def of_device(self, device_id: str) -> Sequence[SeriesInfo]:
        """Series of a device in the order of their first readings."""
        return self._by_device.get(device_id, ())

    def unstored(self) -> list[SeriesRow]:
        """New series that the store has to be given with the next commit."""
        return [SeriesRow(info.series, info.device_id, info.kind, info.path) for info in self._all[self._stored :]]

    def mark_stored(self, count: int) -> None:
        """The first ``count`` series are in the store."""
        self._stored = max(self._stored, count)
