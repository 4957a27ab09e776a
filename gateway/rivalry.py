"""Whether a second gateway uses this gateway's name at the broker. Pure.

A broker gives a client id to whoever connected last and ends the connection of who had it. Two gateways of one branch so take
the connection from each other for ever, and neither gets anything done. All that can be seen of it is that connections
end soon after they began, again and again.
"""

from typing import Final

from runtime.supervisor import Backoff

SHORT_S: Final = 5.0
"""A connection that is lost sooner did not live; a rival is back within a second or two."""

SUSPICIOUS_FROM: Final = 3
"""Such connections in a row from which a rival is likelier than an unlucky network."""


class Rivalry:
    """Counts connections that did not live.

    Args:
        backoff: waits before the next connection once a rival is likely, so that one of the two can work meanwhile.
    """

    def __init__(self, backoff: Backoff = Backoff(2, 30)) -> None:  # noqa: B008  (frozen)
        self._backoff = backoff
        self._short = 0
        self._held_off_s = 0.0

    @property
    def short_in_a_row(self) -> int:
        """Connections in a row that did not live."""
        return self._short

    @property
    def is_likely(self) -> bool:
        """Whether so many connections did not live that somebody else seems to use our name."""
        return self._short >= SUSPICIOUS_FROM

    def lost(self, lasted_s: float) -> float:
        """Note a connection that was lost by no doing of ours.

        The rival holds off, too, and leaves us in peace for as long; so what counts as short grows with the wait.

        Args:
            lasted_s: how long it stood, seconds.

        Returns:
            Seconds to hold off; 0 where there is no suspicion.
        """
        self._short = self._short + 1 if lasted_s < SHORT_S + 2 * self._held_off_s else 0
        suspicions = self._short - SUSPICIOUS_FROM + 1
        self._held_off_s = self._backoff.delay_s(suspicions) if suspicions > 0 else 0.0
        return self._held_off_s

    def lived(self) -> None:
        """Note a connection that ended for another reason."""
        self._short, self._held_off_s = 0, 0.0
