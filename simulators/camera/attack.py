"""Somebody tries passwords: failed logins at a steady rate. No I/O, no clock."""

from typing import Final

ATTEMPTS_A_MINUTE: Final = 20
LASTS_MS: Final = 600_000
"""Source: assumed."""

ATTACKER: Final = "203.0.113.66"
"""Source: RFC 5737, addresses for documentation."""

_EVERY_MS = 60_000 // ATTEMPTS_A_MINUTE


class Attack:
    """Attempts of one attacker, in real time; none until :meth:`begin`."""

    def __init__(self) -> None:
        self._next_ms = 0
        self._ends_ms = 0

    def begin(self, now_ms: int) -> None:
        """The first attempt is now; one under way goes on."""
        if self._next_ms >= self._ends_ms:
            self._next_ms, self._ends_ms = now_ms, now_ms + LASTS_MS

    def end(self) -> None:
        """Shut out."""
        self._ends_ms = self._next_ms

    def attempts(self, now_ms: int) -> int:
        """Attempts since the last call, up to now."""
        count = 0
        while self._next_ms <= now_ms and self._next_ms < self._ends_ms:
            self._next_ms += _EVERY_MS
            count += 1
        return count
