"""What is missing of a gateway's readings, and of when: holes that are asked for, packs given up, readings dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from collector.fleet import Fleet
from collector.gaps import Gaps, RecordedGap
from collector.hole_times import Span
from collector.intervals import Interval
from collector.ledger import Ledger
from collector.review import IntakeReview
from contracts.errors import NotFound

_MOST_RANGES: Final = 100
_ROWS_AT_ONCE: Final = 500


class MissingState(StrEnum):
    """What became of the missing readings."""

    ASKED_FOR = "asked_for"  # the gateway may still send them
    GIVEN_UP = "given_up"  # asked for as often as allowed; stored if they come after all
    DROPPED = "dropped"  # by the gateway, whose outbox was full


@dataclass(frozen=True, slots=True)
class Missing:
    """A part of what a gateway should have sent.

    Attributes:
        id: number of the record, ``None`` of what is still asked for.
        state: what became of it.
        boot: identity of the gateway's outbox.
        low: first seq.
        high: last seq.
        ranges: inclusive ranges of seq that are missing still, 100 at most; none where readings were dropped.
        packs: packs that are missing still.
        readings: readings dropped; ``None`` where nobody knows how many were in the packs.
        noticed_at_ms: when it was recorded or, of what is asked for, first noticed.
        after_ms: made after this, by the gateway's clock; ``None`` where nobody knows.
        before_ms: made before this; ``None`` where nobody knows.
    """

    id: int | None
    state: MissingState
    boot: str
    low: int
    high: int
    ranges: Sequence[Interval]
    packs: int
    readings: int | None
    noticed_at_ms: int
    after_ms: int | None
    before_ms: int | None


class MissingReadings:
    """Holds what was recorded against what has come since."""

    def __init__(self, fleet: Fleet, ledger: Ledger, gaps: Gaps, review: IntakeReview) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._gaps = gaps
        self._review = review

    async def of_gateway(self, branch_id: str, before_id: int | None = None, limit: int = 100) -> list[Missing]:
        """What is missing of a gateway: first what is asked for, then what was recorded, newest first.

        Args:
            branch_id: its branch.
            before_id: only what was recorded before this record, and nothing of what is asked for.
            limit: most to give.

        Raises:
            NotFound: no gateway of that branch ever announced itself.
            DependencyUnavailable: the ops database does not answer.
        """
        if branch_id not in self._fleet.gateways:
            raise NotFound(f"branch {branch_id}: no gateway announced itself; see /api/v1/gateways")
        out = self._open(branch_id)[:limit] if before_id is None else []
        while len(out) < limit:
            rows = await self._gaps.recorded(branch_id, before_id, _ROWS_AT_ONCE)
            out += [found for row in rows if (found := self._still(branch_id, row)) is not None]
            if len(rows) < _ROWS_AT_ONCE:
                break
            before_id = rows[-1].id
        return out[:limit]

    async def within(self, branch_id: str, from_ms: int, to_ms: int) -> list[Missing]:
        """What may be missing of a time: ``from_ms`` to ``to_ms``. What nobody knows the time of is taken to concern it.

        Raises:
            DependencyUnavailable: the ops database does not answer.
        """
        rows = await self._gaps.within(branch_id, from_ms, to_ms)
        recorded = [found for row in rows if (found := self._still(branch_id, row)) is not None]
        return [found for found in self._open(branch_id) if _concerns(found, from_ms, to_ms)] + recorded

    def _open(self, branch_id: str) -> list[Missing]:
        out: list[Missing] = []
        for boot, hole in self._review.overdue(branch_id):
            span = self._gaps.times.span(branch_id, boot, hole.low, hole.high)
            before_ms = hole.since_ms if span.before_ms is None else span.before_ms
            out.append(
                self._missing(
                    branch_id, None, MissingState.ASKED_FOR, boot, (hole.low, hole.high), hole.since_ms,
                    Span(span.after_ms, before_ms),
                )
            )  # fmt: skip
        return [found for found in out if found.packs]

    def _still(self, branch_id: str, row: RecordedGap) -> Missing | None:
        """What is left of a record; ``None`` where all has come."""
        span = Span(row.after_ms, row.before_ms)
        if row.readings is not None:
            return Missing(
                row.id, MissingState.DROPPED, row.boot, row.low, row.high, (), 0, row.readings, row.recorded_at_ms,
                span.after_ms, span.before_ms,
            )  # fmt: skip
        found = self._missing(
            branch_id, row.id, MissingState.GIVEN_UP, row.boot, (row.low, row.high), row.recorded_at_ms, span
        )
        return found if found.packs else None

    def _missing(
        self,
        branch_id: str,
        record_id: int | None,
        state: MissingState,
        boot: str,
        seqs: Interval,
        noticed_at_ms: int,
        span: Span,
    ) -> Missing:
        runs = self._ledger.committed.get((branch_id, boot))
        ranges = [seqs] if runs is None else runs.missing(*seqs)
        packs = sum(high - low + 1 for low, high in ranges)
        low, high = (ranges[0][0], ranges[-1][1]) if ranges else seqs
        return Missing(
            record_id, state, boot, low, high, tuple(ranges[:_MOST_RANGES]), packs, None, noticed_at_ms, span.after_ms,
            span.before_ms,
        )  # fmt: skip


def _concerns(found: Missing, from_ms: int, to_ms: int) -> bool:
    return (found.after_ms is None or found.after_ms < to_ms) and (
        found.before_ms is None or found.before_ms >= from_ms
    )
