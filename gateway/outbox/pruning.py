"""What an outbox no longer keeps: packs past their time, and at its size bound what is worth the least."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.outbox.packing import Rank
from gateway.outbox.sql import Sql

_BATCH: Final = 500
"""Packs or fragments deleted in one transaction, so that a driver never waits long for the file."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Readings that were dropped unsent.

    Attributes:
        by_rank: how many of each rank.
        first_ms: when the oldest of them was stored, milliseconds since 1970 UTC.
        last_ms: when the newest of them was stored.
    """

    by_rank: tuple[tuple[Rank, int], ...] = ()
    first_ms: int = 0
    last_ms: int = 0

    @property
    def readings(self) -> int:
        """How many in all."""
        return sum(count for _, count in self.by_rank)

    def of(self, rank: Rank) -> int:
        """How many of one rank."""
        return sum(count for own, count in self.by_rank if own is rank)

    def __add__(self, other: "Dropped") -> "Dropped":
        if not self.by_rank or not other.by_rank:
            return self if self.by_rank else other
        counts = Counter(dict(self.by_rank))
        counts.update(dict(other.by_rank))
        return Dropped(tuple(counts.items()), min(self.first_ms, other.first_ms), max(self.last_ms, other.last_ms))


NOTHING_DROPPED: Final = Dropped()


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one pruning took away: whole packs that had been acknowledged, and readings that had not."""

    packs: int
    dropped: Dropped

    @property
    def is_over(self) -> bool:
        """Whether nothing was left to take away."""
        return not self.packs and not self.dropped.by_rank


class Pruning:
    """Deletes from an open outbox file, a batch at a time."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._thinned = dict.fromkeys(Rank, 0)  # up to which pack nothing of a rank is left to drop

    def prune(self, older_than_ms: int, most_bytes: int, under_way: Collection[int] = ()) -> Pruned:
        """Delete one batch: packs stored and acknowledged before a time; at the size bound acknowledged packs, oldest first.

        Where the size bound is passed by what was never sent, readings are dropped: gauges and counters before states
        before events, of each the oldest first. Their packs stay, and say how much is missing when they are sent.

        Call it again until it deletes nothing; a driver that waits for the file gets its turn between.

        Args:
            older_than_ms: acknowledged before this time: past its retention.
            most_bytes: the size bound.
            under_way: packs that are being sent, which are left whole.
        """
        packs = self._delete("max(acked_at_ms, stored_at_ms) < ?", (older_than_ms,), excess=None)
        excess = int(self._sql.one("SELECT bytes FROM outbox")) - most_bytes
        dropped = NOTHING_DROPPED
        if not packs and excess > 0:
            packs = self._delete("acked_at_ms IS NOT NULL", (), excess)
            if not packs:
                dropped = self._thin(excess, under_way)
        with self._sql.translated():
            self._sql.connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
        return Pruned(packs, dropped)

    def _delete(self, condition: str, arguments: tuple[int, ...], excess: int | None) -> int:
        rows = self._sql.all(
            f"SELECT seq, first_fragment, last_fragment, bytes FROM pack WHERE {condition}"  # noqa: S608
            f" ORDER BY seq LIMIT {_BATCH}",
            *arguments,
        )
        if not rows:
            return 0
        freed = count = 0
        with self._sql.transaction(durable=False):
            for seq, first, last, size in rows:
                if excess is not None and freed >= excess:
                    break
                self._sql.connection.execute("DELETE FROM fragment WHERE id BETWEEN ? AND ?", (first, last))
                self._sql.connection.execute("DELETE FROM pack WHERE seq = ?", (seq,))
                freed, count = freed + size, count + 1
            self._sql.connection.execute("UPDATE outbox SET bytes = bytes - ?", (freed,))
        return count

    def _thin(self, excess: int, under_way: Collection[int]) -> Dropped:
        """Drop a batch of fragments of packs not acknowledged, of the lowest worth there is."""
        for rank in sorted(Rank, reverse=True):
            rows = self._sql.all(
                "SELECT pack.seq, pack.stored_at_ms, fragment.id, fragment.readings, length(fragment.payload)"
                " FROM pack JOIN fragment ON fragment.id BETWEEN first_fragment AND last_fragment"
                " WHERE acked_at_ms IS NULL AND pack.seq > ? AND +rank = ?"  # +: by fragment id, not over all of a rank
                " ORDER BY pack.seq, fragment.id LIMIT ?",
                self._thinned[rank],
                rank,
                _BATCH,
            )
            free = [row for row in rows if row[0] not in under_way]
            if free:
                return self._drop(rank, free, excess, passed=len(free) == len(rows))
        return NOTHING_DROPPED

    def _drop(self, rank: Rank, rows: Sequence[Any], excess: int, *, passed: bool) -> Dropped:
        freed = readings = 0
        stored_at_ms: list[int] = []
        with self._sql.transaction(durable=False):
            for seq, at_ms, fragment, count, size in rows:
                if freed >= excess:
                    break
                self._sql.connection.execute("DELETE FROM fragment WHERE id = ?", (fragment,))
                self._sql.connection.execute(
                    "UPDATE pack SET readings = readings - ?1, bytes = bytes - ?2, dropped = dropped + ?1 WHERE seq = ?3",
                    (count, size, seq),
                )
                freed, readings = freed + size, readings + count
                stored_at_ms.append(at_ms)
            self._sql.connection.execute(
                "UPDATE outbox SET bytes = bytes - ?, dropped_readings = dropped_readings + ?", (freed, readings)
            )
        if passed:
            self._thinned[rank] = rows[len(stored_at_ms) - 1][0] - 1  # of its pack there may be more
        return Dropped(((rank, readings),), min(stored_at_ms), max(stored_at_ms))
