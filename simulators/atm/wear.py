"""Wear of a mechanism: its failures come from the operations since it was last serviced."""

import math
import random
from dataclasses import dataclass


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
