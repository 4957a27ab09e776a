"""How panels are installed over a fleet: how many zones, which key, how good a clock.

Source: the shares are assumed (plausible, not measured).
"""

import random
from dataclasses import dataclass

from simulators.alarm_panel.zones import Zone, layout

AES_128_SHARE, AES_256_SHARE = 0.4, 0.2
"""Of the panels, those that encrypt with each; the others send in the clear."""

SLOW_SHARE = 0.05
"""Panels whose clock is more than 40 s slow when a receiver first hears of them."""

WITHOUT_TIME_SOURCE_SHARE = 0.05
DRIFT_S_A_DAY = 1.5
"""Panels nobody sets the clock of, and the standard deviation of their drift, seconds a day."""

USUAL_LOST_REPLIES = 0.005
"""Share of replies that do not arrive."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One panel as it was installed; the fields are arguments of the simulator."""

    zones: tuple[Zone, ...]
    key: bytes | None
    clock_offset_s: float
    drift_s_a_day: float
    lose_replies: float


def draw_installation(chance: random.Random) -> Installation:
    """Draw one panel of a fleet.

    Args:
        chance: random source; the key comes from it as well, so it protects nothing.
    """
    draw = chance.random()
    key_bytes = 16 if draw < AES_128_SHARE else 32 if draw < AES_128_SHARE + AES_256_SHARE else 0
    is_slow = chance.random() < SLOW_SHARE
    drifts = chance.random() < WITHOUT_TIME_SOURCE_SHARE
    return Installation(
        zones=layout(chance.randint(16, 40)),
        key=chance.randbytes(key_bytes) if key_bytes else None,
        clock_offset_s=chance.uniform(-90, -45) if is_slow else chance.uniform(-2, 2),
        drift_s_a_day=chance.gauss(0, DRIFT_S_A_DAY) if drifts else 0.0,
        lose_replies=USUAL_LOST_REPLIES,
    )
