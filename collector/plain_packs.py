"""Plain packs, those that look as our gateways write them, read together in a few sweeps over all of their readings.

This is the fast way and takes sound packs only: a pack with a label that gateways do not write, a name that is not known, a
value that does not fit, whatever is not plainly right, is left to :class:`collector.decoding.Decoder`, which reads it
record by record and alone decides what is refused and why. So both ways mean the same by construction, and a test holds them
against each other.

Python runs a few dozen nanoseconds a reading here and NumPy once a batch, because a single call of it costs as much as a
hundred readings.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from struct import pack
from typing import Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from collector.base_names import BaseNames
from collector.columns import Stretch
from collector.limits import EARLIEST_MS, LONGEST_TEXT
from collector.series import SeriesRegistry, Shelf
from collector.vocabulary import ABSENT, UNITS, WORDS, WRONG
from contracts import senml
from contracts.identity import GATEWAY_DEVICE, is_boot_id
from contracts.pack import Header, PackId
from contracts.readings import EventReading, Float64s, Int32s, ReadingBatch
from contracts.signals import Sort

Bools: TypeAlias = npt.NDArray[np.bool_]

_NAN: Final = float("nan")
_FEWEST_RECORDS: Final = 3
_MIXER: Final = 0x9E3779B97F4A7C15
"""Odd, so that numbers spread over 64 bits by multiplication and no two become one."""


class _Record(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A record with the labels that gateways write; what is absent has a value that needs no second look.

    An absent ``v`` is no number. ``bn``, ``bt`` and ``vs`` tell an absent from an empty one, because that matters.
    """

    bn: str | None = None
    bt: float | None = None
    n: str = ""
    u: str = ""
    v: float = _NAN
    vs: str | None = None
    t: float = 0.0
    ut: float = 0.0


_decoder = msgspec.json.Decoder(list[_Record])


class _NotPlainError(Exception):
    """Somebody else has to look at this pack."""


@dataclass(slots=True)
class _Runs:
    """Records in a row that share device and base time, one entry for each run."""

    shelf: list[Shelf] = field(default_factory=list)
    base_s: list[float] = field(default_factory=list)
    count: list[int] = field(default_factory=list)


class PlainPacks:
    """The plain packs of one batch.

    Args:
        names: what names stand for.
        registry: numbers of series.
        most_bytes: larger payloads are left.
        latest_ms: latest time of an observation, milliseconds since 1970 UTC.
    """

    def __init__(self, names: BaseNames, registry: SeriesRegistry, most_bytes: int, latest_ms: int) -> None:
        self._names = names
        self._registry = registry
        self._vocabulary = registry.vocabulary
        self._most_bytes = most_bytes
        self._latest_ms = latest_ms
        self._runs = _Runs()
        self._count = 0
        self._path = bytearray()  # columns as bytes: a batch of Python numbers would not fit into a processor's cache
        self._unit = bytearray()
        self._word = bytearray()
        self._value = bytearray()
        self._offset_s = bytearray()
        self._begins: list[int] = []

    def take(self, payload: bytes, branch_id: str) -> tuple[Header, Stretch] | None:
        """Read a pack that came on a topic of ``branch_id``; ``None`` where it is not plain, and nothing is kept of it.

        Its readings are sound only where :meth:`finish` says so.
        """
        if len(payload) > self._most_bytes:
            return None
        try:
            return self._take(_decoder.decode(payload), branch_id)
        except (msgspec.MsgspecError, _NotPlainError, UnicodeDecodeError, RecursionError, KeyError, OverflowError):
            return None

    def _take(self, records: list[_Record], branch_id: str) -> tuple[Header, Stretch]:
        header, base_s, count = _header(records, branch_id)
        del records[:count]
        runs = self._find_runs(records, branch_id, base_s)
        events: list[EventReading] = []
        try:
            word = list(map(WORDS.__getitem__, [record.vs for record in records]))
        except KeyError:
            events = self._take_events(records, runs)
            word = list(map(WORDS.__getitem__, [record.vs for record in records]))
        count = len(records)
        path = pack(f"{count}i", *map(self._vocabulary.paths.__getitem__, [record.n for record in records]))
        unit = bytes(map(UNITS.__getitem__, [record.u for record in records]))
        # From here on nothing fails, so that nothing is kept of a pack that is not plain.
        begin = self._count
        self._begins.append(begin)
        self._count += count
        self._path += path
        self._unit += unit
        self._word += pack(f"{count}H", *word)
        self._value += pack(f"{count}d", *[record.v for record in records])
        self._offset_s += pack(f"{count}d", *[record.t for record in records])
        self._runs.shelf += runs.shelf
        self._runs.base_s += runs.base_s
        self._runs.count += runs.count
        return header, Stretch(begin, self._count, events)

    def _find_runs(self, records: Sequence[_Record], branch_id: str, base_s: float) -> _Runs:
        shelves = self._names.of_branch(branch_id)
        base_name = f"{branch_id}/{GATEWAY_DEVICE}/"
        opens = [place for place, record in enumerate(records) if record.bn is not None or record.bt is not None]
        if records and (not opens or opens[0] != 0):
            opens.insert(0, 0)
        opens.append(len(records))
        runs = _Runs()
        for begin, end in pairwise(opens):
            first = records[begin]
            if first.bn is not None:
                base_name = first.bn
            if first.bt is not None:
                base_s = first.bt
            shelf = shelves.get(base_name)
            if shelf is None:
                shelf = self._names.look_up(base_name, branch_id)
                if shelf is None:
                    raise _NotPlainError
            runs.shelf.append(shelf)
            runs.base_s.append(base_s)
            runs.count.append(end - begin)
        return runs

    def _take_events(self, records: list[_Record], runs: _Runs) -> list[EventReading]:
        """Take events out of records and runs."""
        ends = list(accumulate(runs.count))
        places = [place for place, record in enumerate(records) if record.vs not in WORDS]
        events: list[EventReading] = []
        for place in places:
            record, run = records[place], bisect_right(ends, place)
            shelf = runs.shelf[run]
            row = self._vocabulary.find(shelf.kind, record.n)
            series = None if row is None else self._registry.number(shelf, row)
            observed_at_ms = round((runs.base_s[run] + record.t) * 1000)
            if (
                row is None
                or series is None
                or record.vs is None
                or record.u
                or record.v == record.v
                or self._vocabulary.rows[row].signal.sort is not Sort.EVENT
                or len(record.vs) > LONGEST_TEXT
                or not EARLIEST_MS <= observed_at_ms <= self._latest_ms
            ):
                raise _NotPlainError
            events.append(EventReading(series, observed_at_ms, record.vs))
            runs.count[run] -= 1
        if len(set(events)) != len(events):
            raise _NotPlainError
        for place in reversed(places):
            del records[place]
        return events

    def finish(self) -> tuple[ReadingBatch, set[int]]:
        """Everything that was taken, as arrays, and which packs are to be read by somebody else after all.

        Returns:
            The readings, as if all were live and without events; and the places, in the order of :meth:`take`, of packs with
            a reading that is not plainly right.
        """
        if not self._count:
            return ReadingBatch.of([]), set()
        runs = self._runs
        value = np.frombuffer(self._value).copy()
        time_ms = np.frombuffer(self._offset_s).copy()
        time_ms += np.repeat(runs.base_s, runs.count)
        with np.errstate(over="ignore"):
            time_ms *= 1000
        np.rint(time_ms, out=time_ms)
        right = (time_ms >= EARLIEST_MS) & (time_ms <= self._latest_ms)
        series, row = self._series(right)
        self._check_values(row, value, right)
        time_ms[~right] = 0
        readings = ReadingBatch(series, time_ms.astype(np.int64), value, np.ones(self._count, np.bool_))
        place = np.repeat(np.arange(len(self._begins)), np.diff([*self._begins, self._count]))
        doubtful = set(place[~right].tolist())
        return readings, doubtful | set(_clashing(readings, place))

    def _series(self, right: Bools) -> tuple[Int32s, Int32s]:
        """Number and vocabulary row of each reading; takes back the right of those that have none."""
        runs, tables = self._runs, self._vocabulary.tables()
        kinds = self._vocabulary.kinds
        kind = np.repeat(np.fromiter((kinds[shelf.kind] for shelf in runs.shelf), np.int32), runs.count)
        begin = np.repeat(np.fromiter((shelf.begin for shelf in runs.shelf), np.int32), runs.count)
        room = np.repeat(np.fromiter((shelf.room for shelf in runs.shelf), np.int32), runs.count)
        row = tables.row[kind, np.frombuffer(self._path, np.int32)]
        slot = tables.slot[row]
        right &= (row != WRONG) & (slot != WRONG) & (slot < room)
        begin += slot
        begin[~right] = 0
        series = np.frombuffer(self._registry.places, np.int32)[begin]
        right &= series != WRONG
        return series, row

    def _check_values(self, row: Int32s, value: Float64s, right: Bools) -> None:
        """Put a number for each word, and take back the right of readings whose value or unit does not fit."""
        tables = self._vocabulary.tables()
        unit = np.frombuffer(self._unit, np.uint8)
        right &= (unit == ABSENT) | (unit == tables.unit[row])
        word = np.frombuffer(self._word, np.uint16)
        ordinal = tables.ordinals[tables.state[row], word]
        spoken = word != ABSENT
        right &= (ordinal != WRONG) & np.where(spoken, np.isnan(value), np.isfinite(value))
        np.copyto(value, ordinal, where=spoken)


def _clashing(readings: ReadingBatch, pack_of: npt.NDArray[np.intp]) -> list[int]:
    """Packs that may have two readings of one series and time."""
    newest = np.empty(max(int(readings.series.max()), 0) + 1, np.int32)
    places = np.arange(len(readings), dtype=np.int32)
    newest[readings.series] = places
    if (newest[readings.series] == places).all():
        return []  # no series twice in the whole batch
    key = readings.observed_at_ms.astype(np.uint64) * np.uint64(_MIXER)
    key ^= (pack_of.astype(np.uint64) << np.uint64(32)) | readings.series.astype(np.uint64)
    key *= np.uint64(_MIXER)
    ordered = np.sort(key)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    found: list[int] = np.unique(pack_of[np.isin(key, twice)]).tolist() if len(twice) else []
    return found


def _header(records: Sequence[_Record], branch_id: str) -> tuple[Header, float, int]:
    """Header of a pack, its base time and how many records it takes."""
    if len(records) < _FEWEST_RECORDS:
        raise _NotPlainError
    boot, seq, sent_at = records[0], records[1], records[2]
    base_s, sent_at_s = boot.bt, sent_at.v
    if (
        boot.bn != f"{branch_id}/{GATEWAY_DEVICE}/"
        or base_s is None
        or not senml.ABSOLUTE_FROM_S <= base_s < senml.TIME_END_S
        or (boot.n, seq.n, sent_at.n) != ("boot", "seq", "sent_at")
        or boot.vs is None
        or boot.v == boot.v
        or not is_boot_id(boot.vs)
        or not _is_number_alone(seq)
        or not _is_number_alone(sent_at)
        or boot.t
        or not 1 <= seq.v < 2**53
        or seq.v != int(seq.v)
        or not senml.ABSOLUTE_FROM_S <= sent_at_s < 2**40
    ):
        raise _NotPlainError
    header = Header(PackId(branch_id, boot.vs, int(seq.v)), round(sent_at_s * 1000))
    if len(records) == _FEWEST_RECORDS or records[3].n != "dropped":
        return header, base_s, 3
    dropped = records[3]
    if not _is_number_alone(dropped) or not 0 <= dropped.v < 2**53 or dropped.v != int(dropped.v):
        raise _NotPlainError
    return Header(header.pack_id, header.sent_at_ms, int(dropped.v)), base_s, 4


def _is_number_alone(record: _Record) -> bool:
    return record.bn is None and record.bt is None and record.vs is None and not record.t
