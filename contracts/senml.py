"""SenML packs as JSON (RFC 8428), strictly read.

:func:`decode` checks the structure of a pack, :func:`resolve` applies its base values. A pack that breaks the standard is
refused whole, with the index of the record and the reason; there is no partial result to misread.

Source: RFC 8428 (sections 4 and 5), RFC 9100 for versions. CBOR, XML and the streaming media types are not spoken here.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from contracts.errors import ContractViolation, RefusalCode

ABSOLUTE_FROM_S: Final = 2**28
"""Times below this many seconds are relative to "now". Source: RFC 8428, section 4.5.3."""

TIME_END_S: Final = 2**53
"""Times are below this many seconds: beyond it a double tells no second from the next."""

VERSION: Final = 10
"""Base version of RFC 8428, the default; a larger one must not be read (section 4.4)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
_MUST_UNDERSTAND = re.compile(rb'"([^"\\]*_)"\s*:')
_BAD_AT = re.compile(r"^(?P<what>.*) - at `\$(?:\[(?P<index>\d+|\.\.\.)\])?(?P<field>.*)`$")


class Record(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """One record as it stands in the pack, before base values are applied."""

    bn: str | None = None
    bt: float | None = None
    bu: str | None = None
    bv: float | None = None
    bs: float | None = None
    bver: int | None = None
    n: str | None = None
    u: str | None = None
    v: float | None = None
    vs: str | None = None
    vb: bool | None = None
    vd: str | None = None
    s: float | None = None
    t: float | None = None
    ut: float | None = None


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """One record with its base values applied.

    Attributes:
        name: full name.
        time_s: seconds since 1970-01-01 UTC.
        unit: SenML unit or ``None``.
        value: the number, text, truth value or bytes; ``None`` where the record has only a sum.
        sum: integrated value or ``None``.
        update_s: longest time in seconds until the next record of this name, ``None`` where not stated.
        index: position of the record in its pack.
    """

    name: str
    time_s: float
    unit: str | None
    value: float | str | bool | bytes | None
    sum: float | None
    update_s: float | None
    index: int


_NOTHING = Record()
_decoder = msgspec.json.Decoder(list[Record])
_encoder = msgspec.json.Encoder()


def encode(records: Sequence[Record]) -> bytes:
    """Write records as a JSON array."""
    return _encoder.encode(records)


def encode_fragment(records: Sequence[Record]) -> bytes:
    """Write records as the inside of a JSON array, so that fragments can be joined with commas into one pack."""
    return _encoder.encode(records)[1:-1]


def decode(payload: bytes) -> list[Record]:
    """Read the records of a pack and check what a record alone can tell.

    Raises:
        ContractViolation: ``not_json``, ``not_an_array``, ``empty_pack``, ``malformed_record`` or ``unknown_label``.
    """
    try:
        records = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise _structure_violation(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractViolation(RefusalCode.NOT_JSON, f"expected a JSON array of SenML records: {error}") from error
    if not records:
        raise ContractViolation(RefusalCode.EMPTY_PACK, "expected at least one record, got none")
    if b'_"' in payload:
        _refuse_must_understand(payload)
    return records


def _structure_violation(error: msgspec.ValidationError) -> ContractViolation:
    match = _BAD_AT.match(str(error))
    if match is None or match["index"] is None:
        return ContractViolation(RefusalCode.NOT_AN_ARRAY, f"expected a JSON array of SenML records: {error}")
    index = None if match["index"] == "..." else int(match["index"])
    label = match["field"].lstrip(".")
    what = f"label {label!r}: {match['what']}" if label else match["what"]
    return ContractViolation(RefusalCode.MALFORMED_RECORD, what, index)


def _refuse_must_understand(payload: bytes) -> None:
    """Refuse labels that end in ``_``: they must be understood, and we know none (RFC 8428, section 4.4)."""
    if _MUST_UNDERSTAND.search(payload) is None:
        return
    for index, record in enumerate(msgspec.json.decode(payload)):
        for label in record:
            if label.endswith("_"):
                raise ContractViolation(
                    RefusalCode.UNKNOWN_LABEL, f"label {label!r} must be understood and is not known here", index
                )


class _Base:
    """Base values in force while a pack is read from front to back."""

    __slots__ = ("name", "sum", "time", "unit", "value")

    def __init__(self) -> None:
        self.name = ""
        self.time = 0.0
        self.unit: str | None = None
        self.value: float | None = None
        self.sum: float | None = None

    def take(self, record: Record, index: int) -> None:
        if record.bver is not None and not 0 < record.bver <= VERSION:
            raise ContractViolation(
                RefusalCode.UNSUPPORTED_VERSION, f"bver {record.bver}, expected at most {VERSION}", index
            )
        self.name = record.bn if record.bn is not None else self.name
        self.time = record.bt if record.bt is not None else self.time
        self.unit = record.bu if record.bu is not None else self.unit
        self.value = record.bv if record.bv is not None else self.value
        self.sum = record.bs if record.bs is not None else self.sum


def resolve(records: Iterable[Record], now_s: float | None = None) -> list[Resolved]:
    """Apply base values.

    Args:
        records: records in pack order.
        now_s: what relative times are relative to, seconds since 1970; without it they are refused, because a pack that
            was stored on its way has no "now".

    Returns:
        The resolved records in pack order; records with base fields alone give none.

    Raises:
        ContractViolation: ``unsupported_version``, ``bad_name``, ``value_count``, ``bad_value``, ``relative_time`` or
            ``bad_time``, with the record's index.
    """
    base = _Base()
    checked: set[str] = set()
    out: list[Resolved] = []
    for index, record in enumerate(records):
        base.take(record, index)
        if _has_base_fields_only(record):
            continue
        name = base.name + record.n if record.n is not None else base.name
        if name not in checked:
            if _NAME.fullmatch(name) is None:
                raise ContractViolation(
                    RefusalCode.BAD_NAME,
                    f"name {name!r}: expected a letter or digit, then letters, digits and - : . / _",
                    index,
                )
            checked.add(name)
        value = _value(record, base.value, index)
        total = record.s if base.sum is None else base.sum + (record.s or 0.0)
        if value is None and total is None:
            raise ContractViolation(RefusalCode.VALUE_COUNT, "expected one of v, vs, vb, vd, or s; got none", index)
        time_s = _time(base.time + (record.t or 0.0), now_s, index)
        out.append(Resolved(name, time_s, record.u or base.unit, value, total, record.ut, index))
    return out


def _has_base_fields_only(record: Record) -> bool:
    """Such a record sets the base for those after it and stands for no reading (RFC 8428, section 5.1.7)."""
    own = (record.n, record.u, record.v, record.vs, record.vb, record.vd, record.s, record.t, record.ut)
    return record != _NOTHING and all(value is None for value in own)


def _time(time_s: float, now_s: float | None, index: int) -> float:
    if not -ABSOLUTE_FROM_S < time_s < TIME_END_S:
        raise ContractViolation(RefusalCode.BAD_TIME, f"time {time_s}: expected seconds since 1970", index)
    if time_s >= ABSOLUTE_FROM_S:
        return time_s
    if now_s is None:
        raise ContractViolation(
            RefusalCode.RELATIVE_TIME, f"time {time_s} is relative to now; expected seconds since 1970", index
        )
    return now_s + time_s


def _value(record: Record, base_value: float | None, index: int) -> float | str | bool | bytes | None:
    given = [value for value in (record.v, record.vs, record.vb, record.vd) if value is not None]
    if len(given) > 1:
        raise ContractViolation(RefusalCode.VALUE_COUNT, f"expected one of v, vs, vb, vd; got {len(given)}", index)
    if record.vd is not None:
        return _data(record.vd, index)
    if given and record.v is None:
        return given[0]
    if base_value is not None:  # a base value stands for v too (RFC 8428, section 4.3)
        return base_value + (record.v or 0.0) if record.v is not None or record.s is None else None
    return record.v


def _data(text: str, index: int) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ContractViolation(RefusalCode.BAD_VALUE, f"vd is not base64url: {error}", index) from error
