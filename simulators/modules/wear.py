"""Wear of a mechanism: its failures come from the operations since it was last serviced."""

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Wear:
    """Weibull hazard counted in operations.

    Args:
        mean_operations: operations from a service to the failure, on average.
        shape: above 1 the hazard grows with use (mechanics), 1 is pure chance (electronics).
        operations: operations since the last service.
    """

    mean_operations: float
    shape: float
    operations: int = 0

    def hazard(self) -> float:
        """Probability that the next operation fails, given that all since the service went well."""
        scale = self.mean_operations / math.gamma(1 + 1 / self.shape)
        before = (self.operations / scale) ** self.shape
        after = ((self.operations + 1) / scale) ** self.shape
        return -math.expm1(before - after)

    def fails(self, chance: random.Random) -> bool:
        """Do one operation and tell whether it failed."""
        failed = chance.random() < self.hazard()
        self.operations += 1
        return failed

    def service(self) -> None:
        """Clean or replace the mechanism."""
        self.operations = 0


@dataclass(frozen=True, slots=True)
class Creep:
    """Something that gets worse evenly, day by day.

    Attributes:
        since_at: local time at which it began.
        lasting: how long it takes to its worst.
        worst: its value then; it begins at 0.
    """

    since_at: datetime
    lasting: timedelta
    worst: float

    def value(self, now_at: datetime) -> float:
        """How bad it is at a local time."""
        return self.worst * min(1.0, max(0.0, (now_at - self.since_at) / self.lasting))
