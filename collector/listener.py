"""Who is told what the collector has committed: the rules, behind a port."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from collector.fleet import Device
from contracts.readings import ReadingBatch, SeriesInfo


class History(Protocol):
    """What a listener may read while it catches up."""

    @property
    def position(self) -> int:
        """Position of the newest commit. Below a listener's checkpoint after a restore from a backup."""
        ...

    @property
    def replayable_from(self) -> int:
        """Position from which on commits can be taken again one by one."""
        ...

    def series(self) -> Sequence[SeriesInfo]:
        """All series; the index is the series number."""
        ...

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        """Newest live reading of each series as of a position, ordered by series; of equal times the first to come."""
        ...

    def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        """Every commit after ``position`` in commit order."""
        ...


class BatchListener(Protocol):
    """Takes what was committed to the store, each commit in order.

    The collector calls one method at a time. ``DependencyUnavailable`` from any of them makes the collector wait and call
    again with the same arguments; meanwhile it acknowledges nothing to the broker. Any other error ends the process.
    """

    async def restore(self, history: History) -> None:
        """Catch up with the store; called once, before the first of the other calls."""
        ...

    async def devices_changed(self, devices: Sequence[Device]) -> None:
        """The devices that now exist, all branches together; after ``restore`` and at every changed inventory."""
        ...

    async def take(self, batch: ReadingBatch, series: Sequence[SeriesInfo], position: int) -> None:
        """Take one commit; returned means that its effects are durable.

        It may come again with the same position, after an error or a restart, and must take effect once.

        Args:
            batch: the readings and events of the commit.
            series: all series known so far; the index is the series number.
            position: of the commit; commits come in order, but a listener may have seen it in ``restore`` already.
        """
        ...


class NobodyListens:
    """For a collector that only stores."""

    async def restore(self, history: History) -> None:
        """Nothing to catch up with."""

    async def devices_changed(self, devices: Sequence[Device]) -> None:
        """Nobody to tell."""

    async def take(self, batch: ReadingBatch, series: Sequence[SeriesInfo], position: int) -> None:
        """Nobody to tell."""
