"""A micro-batch that was read and is not yet committed: readings, pack identities and what was refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.columns import Assembly
from collector.decoding import encode_records
from collector.refusals import Refusal, Refused
from contracts.errors import RefusalCode
from contracts.pack import PackId


@dataclass(frozen=True, slots=True)
class Source:
    """Where something came from that is refused.

    Attributes:
        branch_id: branch of the topic, empty where it names none.
        topic: as received.
        live: whether it came on the live stream.
        pack_id: see :attr:`collector.refusals.Refused.pack_id`.
    """

    branch_id: str
    topic: str
    live: bool
    pack_id: PackId | None = None


@dataclass(slots=True)
class Prepared:
    """What a micro-batch comes to.

    Attributes:
        now_ms: when it was read, milliseconds since 1970 UTC.
        readings: its readings.
        packs: identities of what it consists of, in the order of arrival.
        refused: what goes into quarantine.
        dropped: packs that came without some of their readings, and how many those are.
        announced: whether the devices of a branch are others now.
    """

    now_ms: int
    readings: Assembly = field(default_factory=Assembly)
    packs: list[PackId] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    dropped: list[tuple[PackId, int]] = field(default_factory=list)
    announced: bool = False

    def refuse_whole(self, source: Source, payload: bytes, refusals: Sequence[Refusal]) -> None:
        """Put a pack of which nothing is taken into quarantine, as often as it comes."""
        for refusal in refusals:
            if refusal.resolved is None:
                self.refuse_message(source, payload, refusal)
        self.refuse_records(source, refusals)

    def refuse_message(self, source: Source, payload: bytes, refusal: Refusal) -> None:
        """Put a message into quarantine."""
        self._refuse(source, payload, [refusal])

    def refuse_records(self, source: Source, refusals: Sequence[Refusal]) -> None:
        """Put records into quarantine, those that share a reason and a device as one row."""
        groups: dict[tuple[RefusalCode, str], list[Refusal]] = {}
        for refusal in refusals:
            if refusal.resolved is not None:
                groups.setdefault((refusal.code, refusal.device_id), []).append(refusal)
        for group in groups.values():
            payload = encode_records([refusal.resolved for refusal in group if refusal.resolved is not None])
            self._refuse(source, payload, group)

    def _refuse(self, source: Source, payload: bytes, group: Sequence[Refusal]) -> None:
        first = group[0]
        self.refused.append(
            Refused(
                branch_id=source.branch_id,
                topic=source.topic,
                code=first.code,
                detail=first.detail,
                record=first.record,
                records=len(group),
                payload=payload,
                live=source.live,
                received_at_ms=self.now_ms,
                pack_id=source.pack_id,
                device_id=first.device_id,
                due_ms=min((refusal.due_ms for refusal in group if refusal.due_ms is not None), default=None),
            )
        )
