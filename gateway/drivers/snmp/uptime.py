"""How long the computer has run and how often it started. Pure.

``hrSystemUptime`` counts hundredths of a second in 32 bits and begins anew after 497 days, which is no restart.
"""

from dataclasses import dataclass
from typing import Final

TICKS_A_SECOND: Final = 100
WRAP_TICKS: Final = 1 << 32
"""Source: RFC 2578 section 7.1.8, TimeTicks."""

_SLACK_S: Final = 60.0
_SLACK_SHARE: Final = 0.05
"""How far the computer's count and ours may be apart; less than any restart takes off."""


@dataclass(frozen=True, slots=True)
class Uptime:
    """What is known of a computer's runs.

    Attributes:
        ticks: hundredths of a second as last given.
        at_ms: when, milliseconds since 1970 UTC.
        wraps: how often the count began anew in this run of the computer.
        reboots: restarts seen.
    """

    ticks: int
    at_ms: int
    wraps: int = 0
    reboots: int = 0

    @property
    def seconds(self) -> float:
        """How long the computer has run."""
        return (self.wraps * WRAP_TICKS + self.ticks) / TICKS_A_SECOND


def advance(before: Uptime | None, ticks: int, at_ms: int, elapsed_s: float | None = None) -> Uptime:
    """What is known after another answer.

    Args:
        before: what was known, ``None`` for nothing.
        ticks: as given now.
        at_ms: now, milliseconds since 1970 UTC.
        elapsed_s: seconds since the answer before by a clock that nobody sets; ``None`` where the gateway was restarted
            in between. Then a restart after which the computer has already run longer than before goes unseen.
    """
    if before is None:
        return Uptime(ticks, at_ms)
    since_s = max(0.0, (at_ms - before.at_ms) / 1000) if elapsed_s is None else elapsed_s
    slack_s = _SLACK_S + _SLACK_SHARE * since_s
    expected = before.ticks + since_s * TICKS_A_SECOND
    if ticks >= before.ticks:
        was_reboot = elapsed_s is not None and ticks < expected - slack_s * TICKS_A_SECOND
        return Uptime(ticks, at_ms, 0 if was_reboot else before.wraps, before.reboots + was_reboot)
    if abs(ticks + WRAP_TICKS - expected) <= slack_s * TICKS_A_SECOND:
        return Uptime(ticks, at_ms, before.wraps + 1, before.reboots)
    return Uptime(ticks, at_ms, 0, before.reboots + 1)
