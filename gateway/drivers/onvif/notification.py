"""A message of the event service, freed from how it travelled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

INITIALIZED: Final = "Initialized"
DELETED: Final = "Deleted"

_NEVER_BEFORE: Final = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Notification:
    """One message.

    Attributes:
        topic: normalised path.
        operation: ``Initialized``, ``Changed``, ``Deleted``; empty for what is no property.
        source: what the message is about, name → value.
        data: what it says, name → value.
    """

    topic: str
    operation: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def source_key(self) -> str:
        """Which of several sources of its topic."""
        return "&".join(f"{name}={value}" for name, value in sorted(self.source.items()))[:256]

    def item(self, names: tuple[str, ...]) -> str | None:
        """The data item of the first of these names, else the only one there is."""
        for name in names:
            if name in self.data:
                return self.data[name]
        return next(iter(self.data.values())) if len(self.data) == 1 else None

    def text(self) -> str:
        """The message for people, bounded."""
        items = [f"{name}={value}" for values in (self.source, self.data) for name, value in values.items()]
        return " ".join([self.topic, *items])[:400]


def read_time(value: str) -> datetime | None:
    """A point in time; ``None`` for what is none, for ``0000-00-00…`` and for the years cameras write for "never"."""
    try:
        at = datetime.fromisoformat(value.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at >= _NEVER_BEFORE else None


def read_number(value: str) -> float | None:
    """A finite number, ``None`` for anything else."""
    try:
        number = float(value.strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None
