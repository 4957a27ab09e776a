"""What goes into quarantine and what comes out of it again."""

from dataclasses import dataclass

from contracts import senml
from contracts.errors import ContractViolation, RefusalCode
from contracts.pack import PackId


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


@dataclass(frozen=True, slots=True)
class Refused:
    """A message, or records of a pack that share a reason and a device, on the way into quarantine.

    Attributes:
        branch_id: branch of the topic, empty where it names none.
        topic: topic as received.
        code: why.
        detail: what was expected against what came, of the first record.
        record: index of the first refused record, ``None`` for the whole message.
        records: how many records, 1 for a whole message.
        payload: the message, or a pack of the refused records.
        live: whether it came on the live stream.
        received_at_ms: arrival.
        pack_id: the pack it came in; with it the same refusal is kept and counted once, however often it comes. ``None``
            where the pack is refused whole: that is kept and counted each time, because its seq need not be its own.
        device_id: device of the records, empty for a whole message.
        due_ms: the earliest of the records' times, where these are ahead of ours.
    """

    branch_id: str
    topic: str
    code: RefusalCode
    detail: str
    record: int | None
    records: int
    payload: bytes
    live: bool
    received_at_ms: int
    pack_id: PackId | None
    device_id: str = ""
    due_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Records that waited for their device or their time, ready to be released.

    Attributes:
        id: row.
        payload: a pack of them.
        pack_id: the pack they came in.
        released_as: identity under which the store takes these records, once.
    """

    id: int
    branch_id: str
    topic: str
    payload: bytes
    live: bool
    pack_id: PackId
    released_as: PackId
