"""From the bytes of packs to columns, and to what had to be refused of them.

A batch is read by :class:`BatchReading`: plain packs together (:mod:`collector.plain_packs`), every other one by itself, by
:class:`Decoder`, which alone decides what is refused.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Final

import msgspec

from collector.base_names import BaseNames
from collector.columns import Columns, Stretch
from collector.fleet import Fleet
from collector.limits import EARLIEST_MS, LONGEST_TEXT, MOST_SERIES_OF_A_DEVICE
from collector.plain_packs import PlainPacks
from collector.refusals import Refusal
from collector.series import DERIVED_PATHS, SeriesRegistry
from contracts import senml
from contracts.devices import GATEWAY
from contracts.errors import ContractViolation, RefusalCode
from contracts.pack import Header, split_pack
from contracts.readings import EventReading, ReadingBatch, SeriesInfo
from contracts.signals import Signal, Sort

_HEADER_RECORDS: Final = 3

_NO_SIGNALS_KEPT: Final = 10_000
"""Paths remembered that no signal has. To find out takes a look at every signal of the kind, which a flood must not buy."""


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """A pack taken apart.

    Attributes:
        header: ``None`` where not even that can be read; then nobody knows which pack it was.
        sound: the sound part, ``live`` left empty.
        refusals: the unsound part, in pack order.
    """

    header: Header | None
    sound: Columns | Stretch
    refusals: Sequence[Refusal] = ()

    @property
    def is_refused_whole(self) -> bool:
        """Whether nothing of it can be taken, now or when an inventory or its time comes."""
        if not self.refusals or len(self.sound):
            return False
        return not any(refusal.waits for refusal in self.refusals)


class Decoder:
    """Reads packs against the fleet and the device catalogue, and numbers new series.

    Args:
        fleet: which devices exist.
        registry: numbers of series.
        most_bytes: larger payloads are refused unread.
        future_ms: how far ahead of the collector's clock an observation may be.
    """

    def __init__(self, fleet: Fleet, registry: SeriesRegistry, most_bytes: int, future_ms: int) -> None:
        self._fleet = fleet
        self._registry = registry
        self.most_bytes = most_bytes
        self._future_ms = future_ms
        self._names = BaseNames(fleet, registry)
        self._no_signals: set[tuple[str, str]] = set()

    def forget_names(self, branch_id: str) -> None:
        """The devices of a branch changed: what its names stand for has to be looked up again."""
        self._names.forget(branch_id)

    def plain_packs(self, now_ms: int) -> PlainPacks:
        """For the packs of a batch that arrived at ``now_ms``."""
        return PlainPacks(self._names, self._registry, self.most_bytes, now_ms + self._future_ms)

    def decode(self, payload: bytes, branch_id: str, now_ms: int) -> Decoded:
        """Read a pack that came on a topic of ``branch_id``; never raises, whatever the bytes.

        Args:
            payload: the message.
            branch_id: branch of its topic.
            now_ms: when it arrived, milliseconds since 1970 UTC.
        """
        if len(payload) > self.most_bytes:
            detail = f"{len(payload)} bytes, expected at most {self.most_bytes}; make the gateway's packs smaller"
            return Decoded(None, Columns(), [Refusal(RefusalCode.OVERSIZED, detail)])
        try:
            header, records = split_pack(senml.resolve(senml.decode(payload)), branch_id)
        except ContractViolation as violation:
            return Decoded(_header_alone(payload, branch_id), Columns(), [Refusal.of(violation)])
        columns, refusals = self.read(records, branch_id, now_ms)
        return Decoded(header, columns, refusals)

    def decode_records(self, payload: bytes, branch_id: str, now_ms: int) -> tuple[Columns, list[Refusal]]:
        """Read records without a header, as :func:`encode_records` wrote them."""
        return self.read(senml.resolve(senml.decode(payload)), branch_id, now_ms)

    def read(self, records: Sequence[senml.Resolved], branch_id: str, now_ms: int) -> tuple[Columns, list[Refusal]]:
        """Check each record by itself: one that is refused takes no other with it.

        A series has one reading of a time. Of records that say otherwise the first stands, as of packs that share a seq, and
        one that says the same as an earlier one is left out. Of events each stands that has another text.
        """
        sound, refusals = _Sound(), []
        latest_ms = now_ms + self._future_ms
        for record in records:
            try:
                self._read_one(record, branch_id, latest_ms, sound)
            except ContractViolation as violation:
                device_id = "/".join(record.name.split("/", 2)[:2])
                time_ms = round(record.time_s * 1000)
                is_early = violation.refusal is RefusalCode.TIME_OUT_OF_RANGE and time_ms > latest_ms
                due_ms = time_ms if is_early else None
                refusals.append(Refusal(violation.refusal, violation.detail, record.index, device_id, record, due_ms))
        return sound.columns, refusals

    def _read_one(self, record: senml.Resolved, branch_id: str, latest_ms: int, sound: "_Sound") -> None:
        info = self._find(record.name, branch_id)
        observed_at_ms = round(record.time_s * 1000)
        if not EARLIEST_MS <= observed_at_ms <= latest_ms:
            raise ContractViolation(
                RefusalCode.TIME_OUT_OF_RANGE,
                f"{record.name}: time {observed_at_ms} ms, expected {EARLIEST_MS} to {latest_ms}; set the gateway's clock",
            )
        signal = info.signal
        if record.unit is not None and record.unit != signal.unit:
            raise ContractViolation(
                RefusalCode.WRONG_UNIT, f"{record.name}: unit {record.unit!r}, expected {signal.unit or 'none'!r}"
            )
        if signal.sort is Sort.EVENT:
            sound.tell(EventReading(info.series, observed_at_ms, _event_text(record)))
        else:
            value = _ordinal(record, signal) if signal.sort is Sort.STATE else _number(record)
            sound.say(record.name, info.series, observed_at_ms, value)

    def _find(self, name: str, branch_id: str) -> SeriesInfo:
        branch, _, rest = name.partition("/")
        local_id, _, path = rest.partition("/")
        if branch != branch_id:
            raise ContractViolation(RefusalCode.WRONG_BRANCH, f"{name}: on the topic of {branch_id}")
        device_id = f"{branch}/{local_id}"
        kind = self._fleet.kind_of(device_id)
        if kind is None:
            raise ContractViolation(
                RefusalCode.UNKNOWN_DEVICE, f"{device_id}: not in the inventory of {branch_id}; add it at the gateway"
            )
        if kind == GATEWAY.name and path in DERIVED_PATHS:
            raise ContractViolation(
                RefusalCode.UNKNOWN_SIGNAL, f"{name}: the collector observes it itself; do not send it"
            )
        known = self._registry.find(device_id, kind, path)
        if known is not None:
            return known
        if (kind, path) in self._no_signals:
            raise ContractViolation(RefusalCode.UNKNOWN_SIGNAL, _has_none(name, kind, path))
        full = self._registry.count_of(device_id) >= MOST_SERIES_OF_A_DEVICE
        info = None if full else self._registry.take(device_id, kind, path)
        if info is None and not full:
            if len(self._no_signals) >= _NO_SIGNALS_KEPT:
                self._no_signals.clear()
            self._no_signals.add((kind, path))
            raise ContractViolation(RefusalCode.UNKNOWN_SIGNAL, _has_none(name, kind, path))
        if info is None:
            raise ContractViolation(
                RefusalCode.UNKNOWN_SIGNAL, f"{name}: signal {path!r}: it has {MOST_SERIES_OF_A_DEVICE} signals already"
            )
        return info


class BatchReading:
    """The packs of one batch being read, in the order of arrival."""

    def __init__(self, decoder: Decoder, now_ms: int) -> None:
        self._decoder = decoder
        self._now_ms = now_ms
        self._plain = decoder.plain_packs(now_ms)
        self._packs: list[tuple[bytes, str]] = []
        self._decoded: list[Decoded] = []
        self._plain_ones: list[int] = []

    def add(self, payload: bytes, branch_id: str) -> None:
        """Read a pack that came on a topic of ``branch_id``; never raises, whatever the bytes."""
        plain = self._plain.take(payload, branch_id)
        self._packs.append((payload, branch_id))
        if plain is None:
            self._decoded.append(self._decoder.decode(payload, branch_id, self._now_ms))
        else:
            self._plain_ones.append(len(self._decoded))
            self._decoded.append(Decoded(*plain))

    def finish(self) -> tuple[ReadingBatch, list[Decoded]]:
        """What the batch holds: the readings that stretches are parts of, and each pack."""
        together, doubtful = self._plain.finish()
        for place in sorted(doubtful):
            number = self._plain_ones[place]
            self._decoded[number] = self._decoder.decode(*self._packs[number], self._now_ms)
        return together, self._decoded


class _Sound:
    """Sound records of one pack."""

    def __init__(self) -> None:
        self.columns = Columns()
        self._said: dict[tuple[int, int], float] = {}
        self._told: set[EventReading] = set()

    def say(self, name: str, series: int, observed_at_ms: int, value: float) -> None:
        stands = self._said.setdefault((series, observed_at_ms), value)
        if stands != value:
            raise ContractViolation(
                RefusalCode.NAME_CLASH,
                f"{name}: {value:g} at {observed_at_ms} ms, and {stands:g} before it in the same pack; expected one reading"
                " of a signal at a time",
            )
        if len(self._said) > len(self.columns.series):
            self.columns.series.append(series)
            self.columns.observed_at_ms.append(observed_at_ms)
            self.columns.value.append(value)

    def tell(self, event: EventReading) -> None:
        if event not in self._told:
            self._told.add(event)
            self.columns.events.append(event)


def _event_text(record: senml.Resolved) -> str:
    text = _text(record, "an event's text")
    if len(text) > LONGEST_TEXT:
        raise ContractViolation(
            RefusalCode.BAD_VALUE, f"{record.name}: {len(text)} characters, expected at most {LONGEST_TEXT}"
        )
    return text


def _ordinal(record: senml.Resolved, signal: Signal) -> float:
    word = _text(record, "a state's word")
    number = signal.ordinal(word)
    if number is None:
        words = ", ".join(state.word for state in signal.states)
        raise ContractViolation(RefusalCode.BAD_VALUE, f"{record.name}: state {word[:64]!r}, expected one of {words}")
    return float(number)


def _number(record: senml.Resolved) -> float:
    value = record.value
    if type(value) is not float:
        raise ContractViolation(RefusalCode.WRONG_TYPE, f"{record.name}: {_name_of(value)}, expected a number (v)")
    if not isfinite(value):
        raise ContractViolation(RefusalCode.BAD_VALUE, f"{record.name}: {value}, expected a finite number")
    return value


def _has_none(name: str, kind: str, path: str) -> str:
    return f"{name}: signal {path!r}: a device of kind {kind} has none"


def _text(record: senml.Resolved, what: str) -> str:
    if not isinstance(record.value, str):
        raise ContractViolation(
            RefusalCode.WRONG_TYPE, f"{record.name}: {_name_of(record.value)}, expected {what} (vs)"
        )
    return record.value


def _name_of(value: object) -> str:
    names = {str: "text (vs)", float: "a number (v)", bool: "a truth value (vb)", bytes: "data (vd)"}
    return names.get(type(value), "only a sum (s)")


def _header_alone(payload: bytes, branch_id: str) -> Header | None:
    """Header of a pack that is refused for something else, so that it need not be asked for again for ever."""
    try:
        first = msgspec.json.decode(payload)[:_HEADER_RECORDS]
        return split_pack(senml.resolve(msgspec.convert(first, list[senml.Record])), branch_id)[0]
    except (ContractViolation, msgspec.MsgspecError, TypeError, KeyError, ValueError, IndexError, RecursionError):
        return None


def encode_records(records: Sequence[senml.Resolved]) -> bytes:
    """Write records as a pack of their own, without a header, each with its full name and absolute time."""
    out = []
    for record in records:
        value = record.value
        out.append(
            senml.Record(
                n=record.name,
                t=record.time_s,
                u=record.unit,
                v=value if isinstance(value, float) else None,
                vs=value if isinstance(value, str) else None,
                vb=value if isinstance(value, bool) else None,
                s=record.sum,
                ut=record.update_s,
            )
        )
    return senml.encode(out)
