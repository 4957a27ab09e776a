"""When packs that are missing were made, as far as those around them tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.pack import PackId

_MOST_LEAPS: Final = 64
"""Remembered of a gateway's outbox; with more at a time the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds in time, by the gateway's clock, milliseconds since 1970 UTC; ``None`` where nobody knows."""

    after_ms: int | None = None
    before_ms: int | None = None


@dataclass(slots=True)
class _Mark:
    """The newest pack of an outbox that came, and when the newest one that came live was sent."""

    highest: int = 0
    live_sent_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Leap:
    """Seqs that were left out when a pack came."""

    low: int
    high: int
    span: Span


class HoleTimes:
    """Notes, at every leap in the seqs of an outbox, when the packs on its two sides were sent.

    Packs are made in the order of their seqs, and a live one is sent when it is made. So what was left out was made after the
    newest live pack before the leap and before the pack behind it. After a restart the newest reading that is stored of the
    branch stands for the former.
    """

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], _Mark] = {}
        self._leaps: dict[tuple[str, str], list[_Leap]] = {}
        self._newest_ms: Callable[[str], int | None] = lambda _branch_id: None

    def begin(self, highest: Mapping[tuple[str, str], int], newest_ms: Callable[[str], int | None]) -> None:
        """Begin with what is stored.

        Args:
            highest: newest seq of each (branch_id, boot).
            newest_ms: gives the newest observation of a branch.
        """
        self._marks = {key: _Mark(seq) for key, seq in highest.items()}
        self._leaps = {}
        self._newest_ms = newest_ms

    def notice(self, pack_id: PackId, sent_at_ms: int, *, live: bool) -> None:
        """A pack came that had not come before."""
        key = pack_id.branch_id, pack_id.boot
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = _Mark()
        if pack_id.seq <= mark.highest:
            return
        if pack_id.seq > mark.highest + 1:
            after_ms = mark.live_sent_at_ms
            if after_ms is None:
                after_ms = self._newest_ms(pack_id.branch_id)
            leaps = self._leaps.setdefault(key, [])
            leaps.append(_Leap(mark.highest + 1, pack_id.seq - 1, Span(after_ms, sent_at_ms)))
            del leaps[:-_MOST_LEAPS]
        mark.highest = pack_id.seq
        if live:
            mark.live_sent_at_ms = sent_at_ms

    def span(self, branch_id: str, boot: str, low: int, high: int) -> Span:
        """Between when the packs ``low`` to ``high`` were made."""
        around = [leap for leap in self._leaps.get((branch_id, boot), ()) if leap.low <= high and low <= leap.high]
        if not around or around[0].low > low:
            return Span()
        return Span(around[0].span.after_ms, around[-1].span.before_ms)

    def forget(self, branch_id: str, boot: str) -> None:
        """Nothing of this outbox is missing any more."""
        self._leaps.pop((branch_id, boot), None)
