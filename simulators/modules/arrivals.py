"""When customers come."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta


def next_arrival_s(at: datetime, rate_per_s: Callable[[datetime], float], chance: random.Random) -> float:
    """Seconds of the world until the next customer: a Poisson process whose rate changes on the hour.

    Args:
        at: local time of the world.
        rate_per_s: customers a second at a local time, above 0 at some hour of a week.
        chance: random source.
    """
    demand = chance.expovariate(1.0)
    waited_s = 0.0
    while True:
        rate = rate_per_s(at)
        next_hour = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        left_s = (next_hour - at).total_seconds()
        if demand <= rate * left_s:
            return waited_s + demand / rate
        demand -= rate * left_s
        waited_s += left_s
        at = next_hour
