"""The newest readings of all series as of a commit, and commits as bytes: what the ops database keeps of the order of arrival."""

import zlib
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.readings import EventReading, Float64s, Int32s, Int64s, ReadingBatch

_LEVEL: Final = 1
"""Of compression: the others cost far more time than they save space."""

_NEVER: Final = np.iinfo(np.int64).min
_PART_SERIES: Final = 100_000


class _Content(msgspec.Struct, array_like=True):
    series: bytes
    observed_at_ms: bytes
    value: bytes
    live: bytes
    events: list[tuple[int, int, str, bool]]


class _Part(msgspec.Struct, array_like=True):
    """Of a stretch of series; times are 0-based differences, so that they compress."""

    latest_at_ms: bytes
    latest: bytes
    latest_live: bytes
    live_at_ms: bytes
    live: bytes


def encode_commit(batch: ReadingBatch) -> bytes:
    """A batch as bytes, order and all."""
    content = _Content(
        batch.series.astype(np.int32).tobytes(),
        batch.observed_at_ms.astype(np.int64).tobytes(),
        batch.value.astype(np.float64).tobytes(),
        np.packbits(batch.live).tobytes(),
        [(event.series, event.observed_at_ms, event.text, event.live) for event in batch.events],
    )
    return zlib.compress(msgspec.msgpack.encode(content), _LEVEL)


def decode_commit(content: bytes) -> ReadingBatch:
    """The batch that :func:`encode_commit` wrote."""
    found = msgspec.msgpack.decode(zlib.decompress(content), type=_Content)
    series: Int32s = np.frombuffer(found.series, np.int32)
    live = np.unpackbits(np.frombuffer(found.live, np.uint8), count=len(series)).astype(np.bool_)
    events = tuple(EventReading(*event) for event in found.events)
    return ReadingBatch(
        series, np.frombuffer(found.observed_at_ms, np.int64), np.frombuffer(found.value, np.float64), live, events
    )


class Newest:
    """Columns by series number: the reading observed last, and the live reading observed last."""

    def __init__(self) -> None:
        self._latest_at_ms: Int64s = np.zeros(0, np.int64)
        self._latest: Float64s = np.zeros(0)
        self._latest_live = np.zeros(0, np.bool_)
        self._live_at_ms: Int64s = np.zeros(0, np.int64)
        self._live: Float64s = np.zeros(0)

    def take(self, batch: ReadingBatch) -> None:
        """Take the next commit. Of readings of one time the last to come is latest, the first to come is newest live."""
        if not len(batch):
            return
        self._reserve(int(batch.series.max()) + 1)
        chosen = _last_of_each(batch.series, batch.observed_at_ms)
        series, at_ms = batch.series[chosen], batch.observed_at_ms[chosen]
        newer = at_ms >= self._latest_at_ms[series]
        series, chosen = series[newer], chosen[newer]
        self._latest_at_ms[series] = at_ms[newer]
        self._latest[series] = batch.value[chosen]
        self._latest_live[series] = batch.live[chosen]
        backwards = np.flatnonzero(batch.live)[::-1]
        if not len(backwards):
            return
        chosen = backwards[_last_of_each(batch.series[backwards], batch.observed_at_ms[backwards])]
        series, at_ms = batch.series[chosen], batch.observed_at_ms[chosen]
        newer = at_ms > self._live_at_ms[series]
        self._live_at_ms[series[newer]] = at_ms[newer]
        self._live[series[newer]] = batch.value[chosen[newer]]

    def latest(self) -> ReadingBatch:
        """Of each series the reading observed last, ordered by series."""
        known = np.flatnonzero(self._latest_at_ms != _NEVER)
        return ReadingBatch(
            known.astype(np.int32), self._latest_at_ms[known], self._latest[known], self._latest_live[known]
        )

    def newest_live(self) -> ReadingBatch:
        """Of each series the live reading observed last, ordered by series."""
        known = np.flatnonzero(self._live_at_ms != _NEVER)
        return ReadingBatch(
            known.astype(np.int32), self._live_at_ms[known], self._live[known], np.ones(len(known), np.bool_)
        )

    def parts(self) -> Iterator[bytes]:
        """All of it as bytes, in parts of bounded size."""
        for low in range(0, len(self._latest), _PART_SERIES):
            high = low + _PART_SERIES
            part = _Part(
                self._latest_at_ms[low:high].tobytes(),
                self._latest[low:high].tobytes(),
                np.packbits(self._latest_live[low:high]).tobytes(),
                self._live_at_ms[low:high].tobytes(),
                self._live[low:high].tobytes(),
            )
            yield zlib.compress(msgspec.msgpack.encode(part), _LEVEL)

    def add_part(self, content: bytes) -> None:
        """Take the next part of what :meth:`parts` gave."""
        part = msgspec.msgpack.decode(zlib.decompress(content), type=_Part)
        latest_at_ms = np.frombuffer(part.latest_at_ms, np.int64)
        live = np.unpackbits(np.frombuffer(part.latest_live, np.uint8), count=len(latest_at_ms)).astype(np.bool_)
        self._latest_at_ms = np.append(self._latest_at_ms, latest_at_ms)
        self._latest = np.append(self._latest, np.frombuffer(part.latest, np.float64))
        self._latest_live = np.append(self._latest_live, live)
        self._live_at_ms = np.append(self._live_at_ms, np.frombuffer(part.live_at_ms, np.int64))
        self._live = np.append(self._live, np.frombuffer(part.live, np.float64))

    def _reserve(self, count: int) -> None:
        missing = count - len(self._latest)
        if missing > 0:
            missing = max(missing, len(self._latest))
            self._latest_at_ms = np.append(self._latest_at_ms, np.full(missing, _NEVER))
            self._latest = np.append(self._latest, np.zeros(missing))
            self._latest_live = np.append(self._latest_live, np.zeros(missing, np.bool_))
            self._live_at_ms = np.append(self._live_at_ms, np.full(missing, _NEVER))
            self._live = np.append(self._live, np.zeros(missing))


def _last_of_each(series: Int32s, at_ms: Int64s) -> npt.NDArray[np.intp]:
    """Index of the reading of each series with the newest time, the last of several."""
    order: npt.NDArray[np.intp] = np.lexsort((at_ms, series))
    ends = np.append(series[order][1:] != series[order][:-1], True)
    chosen: npt.NDArray[np.intp] = order[ends]
    return chosen
