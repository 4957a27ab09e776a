"""What the rules ask of whoever feeds them; the collector meets these ports without knowing of them."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from contracts.readings import ReadingBatch, SeriesInfo


class Device(Protocol):
    """A device of the inventory."""

    @property
    def device_id(self) -> str:
        """Full id."""
        ...

    @property
    def kind(self) -> str:
        """Device kind of the catalogue."""
        ...

    @property
    def branch_id(self) -> str:
        """Branch."""
        ...


class History(Protocol):
    """What was committed to the time-series store before."""

    @property
    def position(self) -> int:
        """Position of the newest commit. Below a stored checkpoint after a restore from a backup."""
        ...

    @property
    def replayable_from(self) -> int:
        """Position from which on commits can be taken again one by one; earlier ones have lost their order."""
        ...

    def series(self) -> Sequence[SeriesInfo]:
        """All series; the index is the series number."""
        ...

    async def newest_live(self, as_of_position: int) -> ReadingBatch:
        """Newest live reading of each series as of a position; of equal times the first to come.

        It is what the engine would know of each series had it taken every commit up to there: back-filled readings do not
        hide an older live one.
        """
        ...

    def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        """Every commit after ``position`` in commit order, with ``live`` as it was committed."""
        ...
