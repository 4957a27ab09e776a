"""Branchwatch's own use of SenML: the gateway's header records and the naming of readings.

A pack's first three records are the gateway's: ``{branch}/gateway/boot`` (text), ``…/seq`` and ``…/sent_at`` (numbers).
``seq`` counts packs per boot identity; the boot identity changes only when the gateway's outbox is new. A fourth,
``…/dropped`` (number), is there where readings of the pack had to be given up before it was sent: its outbox was full.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from contracts import senml
from contracts.errors import ContractViolation, RefusalCode
from contracts.identity import GATEWAY_DEVICE, is_boot_id
from contracts.reading import Reading


class PackId(msgspec.Struct, frozen=True, gc=False):
    """Identity of a pack, the same however often it is delivered."""

    branch_id: str
    boot: str
    seq: int


class Header(msgspec.Struct, frozen=True, gc=False):
    """The gateway's own records of a pack.

    Attributes:
        pack_id: who packed it and its number.
        sent_at_ms: when the gateway published it, by the gateway's clock.
        dropped: readings the pack once held and the gateway no longer has.
    """

    pack_id: PackId
    sent_at_ms: int
    dropped: int = 0


_HEADER_RECORDS = 3

MESSAGE_BYTES: Final = 256 * 1024
"""Largest message of readings: no gateway sends a larger one, every collector takes one of this size."""


def encode_readings(readings: Sequence[Reading]) -> bytes:
    """Write readings as a fragment, the part of a pack after its header; fragments join with commas.

    Times are absolute: each fragment opens with its own base name and base time.
    """
    records: list[senml.Record] = []
    device = None
    base_ms = readings[0].observed_at_ms if readings else 0
    for reading in readings:
        number = reading.value if isinstance(reading.value, (int, float)) else None
        records.append(
            senml.Record(
                bn=None if reading.device_id == device else f"{reading.device_id}/",
                bt=None if records else base_ms / 1000,
                n=reading.path,
                u=reading.unit,
                v=number,
                vs=None if number is not None else str(reading.value),
                t=(reading.observed_at_ms - base_ms) / 1000 or None,
                ut=reading.update_s,
            )
        )
        device = reading.device_id
    return senml.encode_fragment(records)


def encode_pack(header: Header, fragments: Sequence[bytes]) -> bytes:
    """Join a header and fragments to the payload of one message."""
    pack_id, sent_at_s = header.pack_id, header.sent_at_ms / 1000
    records = [
        senml.Record(bn=f"{pack_id.branch_id}/{GATEWAY_DEVICE}/", bt=sent_at_s, n="boot", vs=pack_id.boot),
        senml.Record(n="seq", v=pack_id.seq),
        senml.Record(n="sent_at", v=sent_at_s),
    ]
    if header.dropped:
        records.append(senml.Record(n="dropped", v=header.dropped))
    return b"[" + b",".join([senml.encode_fragment(records), *fragments]) + b"]"


def split_pack(records: Sequence[senml.Resolved], branch_id: str) -> tuple[Header, Sequence[senml.Resolved]]:
    """Take the header off a resolved pack.

    Args:
        records: the resolved records in pack order.
        branch_id: the branch of the topic the pack came on.

    Returns:
        The header and the records after it.

    Raises:
        ContractViolation: ``wrong_branch`` or ``missing_header``.
    """
    first = records[0].name.split("/") if records else []
    if len(first) == 3 and first[1] == GATEWAY_DEVICE and first[0] != branch_id:
        raise ContractViolation(RefusalCode.WRONG_BRANCH, f"pack of {first[0]} on the topic of {branch_id}", 0)
    values = []
    for index, (name, types) in enumerate((("boot", str), ("seq", float), ("sent_at", float))):
        expected = f"{branch_id}/{GATEWAY_DEVICE}/{name}"
        if index >= len(records) or records[index].name != expected or type(records[index].value) is not types:
            kind = "text" if types is str else "a number"
            raise ContractViolation(RefusalCode.MISSING_HEADER, f"expected {expected} with {kind}", index)
        values.append(records[index].value)
    boot, seq, sent_at_s = values
    if not isinstance(boot, str) or not is_boot_id(boot):
        raise ContractViolation(
            RefusalCode.MISSING_HEADER, f"boot {boot!r:.80}: expected 1 to 64 of A-Z a-z 0-9 _ -", 0
        )
    if not isinstance(seq, float) or seq < 1 or seq != int(seq) or seq >= 2**53:
        raise ContractViolation(RefusalCode.MISSING_HEADER, f"seq {seq!r}: expected a whole number from 1", 1)
    if not isinstance(sent_at_s, float) or not senml.ABSOLUTE_FROM_S <= sent_at_s < 2**40:
        raise ContractViolation(RefusalCode.MISSING_HEADER, f"sent_at {sent_at_s!r}: expected seconds since 1970", 2)
    pack_id, rest = PackId(branch_id, boot, int(seq)), records[_HEADER_RECORDS:]
    if not rest or rest[0].name != f"{branch_id}/{GATEWAY_DEVICE}/dropped":
        return Header(pack_id, round(sent_at_s * 1000)), rest
    dropped = rest[0].value
    if not isinstance(dropped, float) or dropped < 0 or dropped != int(dropped) or dropped >= 2**53:
        raise ContractViolation(RefusalCode.MISSING_HEADER, f"dropped {dropped!r}: expected a whole number", 3)
    return Header(pack_id, round(sent_at_s * 1000), int(dropped)), rest[1:]
