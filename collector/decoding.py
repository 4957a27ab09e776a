"""From the bytes of a pack to columns, and to what had to be refused of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final

import msgspec
import numpy as np

from collector.fleet import Fleet
from collector.series import DERIVED_PATHS, SeriesRegistry
from contracts import senml
from contracts.devices import GATEWAY
from contracts.errors import ContractViolation, RefusalCode
from contracts.pack import Header, split_pack
from contracts.readings import EventReading, ReadingBatch, SeriesInfo
from contracts.signals import Sort

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01 UTC: an earlier time is a clock that was never set."""

MOST_SERIES_OF_A_DEVICE: Final = 2000
"""A device of the catalogue has a few hundred signals; a sender that counts parts upwards is stopped here."""

LONGEST_TEXT: Final = 4096
"""Characters of an event's text."""

_HEADER_RECORDS: Final = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused and why.

    Attributes:
        code: the stable reason.
        detail: what was expected against what came.
        record: index of the record in its pack, ``None`` for the whole message.
        device_id: device the record names, empty where none can be read.
        resolved: the record itself, ``None`` for the whole message.
        due_ms: time of a record that came before it; ``None`` for all others.
    """

    code: RefusalCode
    detail: str
    record: int | None = None
    device_id: str = ""
    resolved: senml.Resolved | None = None
    due_ms: int | None = None

    @property
    def waits(self) -> bool:
        """Whether the record can be taken later."""
        return self.code is RefusalCode.UNKNOWN_DEVICE or self.due_ms is not None

    @staticmethod
    def of(violation: ContractViolation) -> "Refusal":
        """The whole message is refused."""
        return Refusal(violation.refusal, violation.detail, violation.record)


@dataclass(slots=True)
class Columns:
    """Readings under construction; :meth:`batch` makes them arrays."""

    series: list[int] = field(default_factory=list)
    observed_at_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    live: list[bool] = field(default_factory=list)
    events: list[EventReading] = field(default_factory=list)

    def add(self, series: int, observed_at_ms: int, value: float) -> None:
        """Append a live reading."""
        self.series.append(series)
        self.observed_at_ms.append(observed_at_ms)
        self.value.append(value)
        self.live.append(True)

    def extend(self, other: "Columns", *, live: bool) -> None:
        """Append all of another, all of one lane."""
        self.series += other.series
        self.observed_at_ms += other.observed_at_ms
        self.value += other.value
        self.live += [live] * len(other.series)
        self.events += other.events if live else [replace(event, live=False) for event in other.events]

    def __len__(self) -> int:
        """Readings and events together."""
        return len(self.series) + len(self.events)

    def batch(self) -> ReadingBatch:
        """The readings as arrays."""
        return ReadingBatch(
            np.array(self.series, dtype=np.int32),
            np.array(self.observed_at_ms, dtype=np.int64),
            np.array(self.value, dtype=np.float64),
            np.array(self.live, dtype=np.bool_),
            tuple(self.events),
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """A pack taken apart.

    Attributes:
        header: ``None`` where not even that can be read; then nobody knows which pack it was.
        columns: the sound part, ``live`` left empty.
        refusals: the unsound part, in pack order.
    """

    header: Header | None
    columns: Columns
    refusals: Sequence[Refusal]

    @property
    def is_refused_whole(self) -> bool:
        """Whether nothing of it can be taken, now or when an inventory or its time comes."""
        if not self.refusals or len(self.columns):
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
        self._by_name: dict[str, SeriesInfo] = {}

    def forget_names(self) -> None:
        """The fleet changed: what a name stands for has to be looked up again."""
        self._by_name.clear()

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
        """Check each record by itself: one that is refused takes no other with it."""
        columns, refusals = Columns(), []
        latest_ms = now_ms + self._future_ms
        for record in records:
            try:
                self._read_one(record, branch_id, latest_ms, columns)
            except ContractViolation as violation:
                device_id = "/".join(record.name.split("/", 2)[:2])
                time_ms = round(record.time_s * 1000)
                is_early = violation.refusal is RefusalCode.TIME_OUT_OF_RANGE and time_ms > latest_ms
                due_ms = time_ms if is_early else None
                refusals.append(Refusal(violation.refusal, violation.detail, record.index, device_id, record, due_ms))
        return columns, refusals

    def _read_one(self, record: senml.Resolved, branch_id: str, latest_ms: int, columns: Columns) -> None:
        info = self._by_name.get(record.name)
        if info is None or not record.name.startswith(branch_id + "/"):
            info = self._find(record.name, branch_id)
        observed_at_ms = round(record.time_s * 1000)
        if not EARLIEST_MS <= observed_at_ms <= latest_ms:
            raise ContractViolation(
                RefusalCode.TIME_OUT_OF_RANGE,
                f"{record.name}: time {observed_at_ms} ms, expected {EARLIEST_MS} to {latest_ms}; set the gateway's clock",
            )
        signal, value = info.signal, record.value
        if record.unit is not None and record.unit != signal.unit:
            raise ContractViolation(
                RefusalCode.WRONG_UNIT, f"{record.name}: unit {record.unit!r}, expected {signal.unit or 'none'!r}"
            )
        if signal.sort is Sort.EVENT:
            text = _text(record.name, value, "an event's text")
            if len(text) > LONGEST_TEXT:
                raise ContractViolation(
                    RefusalCode.BAD_VALUE, f"{record.name}: {len(text)} characters, expected at most {LONGEST_TEXT}"
                )
            columns.events.append(EventReading(info.series, observed_at_ms, text))
            return
        if signal.sort is Sort.STATE:
            word = _text(record.name, value, "a state's word")
            number = signal.ordinal(word)
            if number is None:
                words = ", ".join(state.word for state in signal.states)
                raise ContractViolation(
                    RefusalCode.BAD_VALUE, f"{record.name}: state {word[:64]!r}, expected one of {words}"
                )
            value = float(number)
        if type(value) is not float:
            raise ContractViolation(RefusalCode.WRONG_TYPE, f"{record.name}: {_name_of(value)}, expected a number (v)")
        if not isfinite(value):
            raise ContractViolation(RefusalCode.BAD_VALUE, f"{record.name}: {value}, expected a finite number")
        columns.series.append(info.series)
        columns.observed_at_ms.append(observed_at_ms)
        columns.value.append(value)

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
        full = len(self._registry.of_device(device_id)) >= MOST_SERIES_OF_A_DEVICE
        info = self._registry.find(device_id, kind, path) if full else self._registry.take(device_id, kind, path)
        if info is None:
            reason = (
                f"it has {MOST_SERIES_OF_A_DEVICE} signals already" if full else f"a device of kind {kind} has none"
            )
            raise ContractViolation(RefusalCode.UNKNOWN_SIGNAL, f"{name}: signal {path!r}: {reason}")
        self._by_name[name] = info
        return info


def _text(name: str, value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ContractViolation(RefusalCode.WRONG_TYPE, f"{name}: {_name_of(value)}, expected {what} (vs)")
    return value


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
