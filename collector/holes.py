"""Holes in the seqs of a gateway: when to ask for packs again, and when to give them up as a gap.

Pure: committed seqs and the time go in, requests and gaps come out. Lanes run in parallel, so a hole is normal while a
backlog is filled in behind the live stream; it is asked for only when nothing has been filled for the grace time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, islice

from collector.intervals import Interval, IntervalSet
from runtime.supervisor import Backoff


class Reach(StrEnum):
    """Whether a gateway can be asked for packs of a boot identity."""

    ASKABLE = "askable"
    OFFLINE = "offline"  # wait: it may come back with them
    OTHER_BOOT = "other_boot"  # its outbox is new; only what is still under way can arrive


@dataclass(frozen=True, slots=True)
class HolePolicy:
    """When to ask and when to give up.

    Attributes:
        grace_ms: age from which a hole counts as missing, and quiet time after anything was filled.
        backoff: waits between requests.
        tries: requests for one hole at most.
        abandon_ms: age at which holes of an earlier boot identity are given up.
        most_ranges: ranges in one request at most.
    """

    grace_ms: int
    backoff: Backoff
    tries: int
    abandon_ms: int
    most_ranges: int = 100


@dataclass(frozen=True, slots=True)
class Hole:
    """Consecutive seqs that have not come.

    Attributes:
        low: first seq.
        high: last seq.
        since_ms: when it was first noticed.
        tries: how often it was asked for.
        wait_until_ms: not to be asked for before.
    """

    low: int
    high: int
    since_ms: int
    tries: int
    wait_until_ms: int

    @property
    def size(self) -> int:
        """How many packs are missing."""
        return self.high - self.low + 1


@dataclass(frozen=True, slots=True)
class Review:
    """What is to be done now, and how things stand.

    Attributes:
        request: ranges to ask for again, at most as many as the policy allows.
        gaps: ranges given up in this review.
        missing: packs missing for longer than the grace time, gaps left out.
        holes: how many holes that is.
    """

    request: tuple[Interval, ...] = ()
    gaps: tuple[Interval, ...] = ()
    missing: int = 0
    holes: int = 0


class HoleWatch:
    """Watches one boot identity of one gateway."""

    def __init__(self, policy: HolePolicy) -> None:
        self._policy = policy
        self._holes: list[Hole] = []
        self._once_more_at_ms: int | None = None
        self._asked_upto = 0
        self._missing: tuple[Interval, ...] = ()
        self._as_of: tuple[IntervalSet, int, IntervalSet, int] | None = None

    @property
    def holes(self) -> Sequence[Hole]:
        """Those that were open at the last review and not given up in it."""
        return self._holes

    def is_quiet(self, committed: IntervalSet, gaps: IntervalSet) -> bool:
        """Whether a review would find nothing; cheap where nothing changed."""
        return not self._holes and self._once_more_at_ms is None and not self._missing_of(committed, gaps)

    def _missing_of(self, committed: IntervalSet, gaps: IntervalSet) -> Sequence[Interval]:
        """What is neither committed nor given up, found anew only where it can have changed."""
        known = self._as_of
        if (
            known is None
            or known[0] is not committed
            or known[1] != committed.fills
            or known[2] is not gaps
            or known[3] != gaps.fills
        ):
            highest = committed.highest
            holes = () if highest is None else committed.missing(1, highest)
            self._missing = tuple(chain.from_iterable(gaps.missing(*hole) for hole in holes))
            self._as_of = committed, committed.fills, gaps, gaps.fills
        return self._missing

    def ask_once_more(self, now_ms: int) -> None:
        """The gateway is back with this outbox: ask once for what was given up, after a grace time for its backlog."""
        self._once_more_at_ms = now_ms + self._policy.grace_ms
        self._asked_upto = 0

    def review(self, committed: IntervalSet, gaps: IntervalSet, now_ms: int, reach: Reach) -> Review:
        """Look at what is missing now.

        Args:
            committed: seqs that have come. Counting begins at 1, so a first seq of 5 leaves 1 to 4 missing.
            gaps: seqs given up earlier; not asked for but after :meth:`ask_once_more`.
            now_ms: milliseconds since 1970 UTC.
            reach: whether the gateway can be asked.
        """
        missing = self._missing_of(committed, gaps)
        before = sum(hole.size for hole in self._holes)
        holes, carried = _carry_over(self._holes, missing, now_ms, self._policy.grace_ms)
        if carried < before:  # something is being filled: let it
            quiet_until_ms = now_ms + self._policy.grace_ms
            holes = [replace(hole, wait_until_ms=max(hole.wait_until_ms, quiet_until_ms)) for hole in holes]
        request: list[Interval] = []
        given_up: list[Interval] = []
        self._holes = []
        for hole in holes:
            if self._is_hopeless(hole, now_ms, reach):
                given_up.append((hole.low, hole.high))
                continue
            due = reach is Reach.ASKABLE and now_ms >= hole.wait_until_ms and len(request) < self._policy.most_ranges
            if due:
                request.append((hole.low, hole.high))
                tries = hole.tries + 1
                wait_ms = round(self._policy.backoff.delay_s(tries) * 1000)
                hole = replace(hole, tries=tries, wait_until_ms=now_ms + wait_ms)  # noqa: PLW2901  (the next state)
            self._holes.append(hole)
        if reach is Reach.ASKABLE:
            request += self._once_more(committed, gaps, now_ms, self._policy.most_ranges - len(request))
        overdue = [hole for hole in self._holes if now_ms - hole.since_ms >= self._policy.grace_ms]
        return Review(tuple(request), tuple(given_up), sum(hole.size for hole in overdue), len(overdue))

    def _once_more(self, committed: IntervalSet, gaps: IntervalSet, now_ms: int, room: int) -> list[Interval]:
        if self._once_more_at_ms is None or now_ms < self._once_more_at_ms or room < 1:
            return []
        given_up = [(max(low, self._asked_upto + 1), high) for low, high in gaps if high > self._asked_upto]
        ranges = list(islice(chain.from_iterable(committed.missing(*gap) for gap in given_up), room))
        if len(ranges) < room:
            self._once_more_at_ms = None
        else:
            self._asked_upto = ranges[-1][1]
        return ranges

    def _is_hopeless(self, hole: Hole, now_ms: int, reach: Reach) -> bool:
        if now_ms < hole.wait_until_ms or reach is Reach.OFFLINE:
            return False
        if reach is Reach.OTHER_BOOT:
            return now_ms - hole.since_ms >= self._policy.abandon_ms
        return hole.tries >= self._policy.tries


def _carry_over(
    known: Sequence[Hole], missing: Sequence[Interval], now_ms: int, grace_ms: int
) -> tuple[list[Hole], int]:
    """The holes of now, and how many packs were missing before, too.

    What is left of known holes keeps its age and tries, the rest is new. All come in ascending order.
    """
    out: list[Hole] = []
    carried = 0
    index = 0
    for low, high in missing:
        at = low
        while index < len(known) and known[index].high < low:
            index += 1
        step = index
        while step < len(known) and known[step].low <= high:
            hole = known[step]
            if hole.low > at:
                out.append(Hole(at, hole.low - 1, now_ms, 0, now_ms + grace_ms))
            at = max(at, hole.low)
            out.append(replace(hole, low=at, high=min(hole.high, high)))
            carried += out[-1].size
            at = out[-1].high + 1
            step += 1
        if at <= high:
            out.append(Hole(at, high, now_ms, 0, now_ms + grace_ms))
    return out, carried
