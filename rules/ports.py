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

    def series(self) -> Sequence[SeriesInfo]:
        """All series; the index is the series number."""
        ...

    async def latest(self, as_of_position: int | None = None) -> ReadingBatch:
        """Newest reading of each series as of a position; ``None`` for now."""
        ...

    def scan_since(self, position: int) -> AsyncIterator[tuple[int, ReadingBatch]]:
        """Every commit after ``position`` in commit order, with ``live`` as it was committed."""
        ...
