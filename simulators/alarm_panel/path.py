"""A way from a panel to a receiver, and how it is doing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from simulators.alarm_panel.contact_id import Code
from simulators.alarm_panel.frames import Reply
from simulators.alarm_panel.messages import Outgoing

NEVER = -math.inf


class Link(Protocol):
    """What carries frames to a receiver and replies back; one exchange at a time."""

    async def open(self) -> None:
        """Get ready to send, unless ready. Raises ``OSError`` where that is not possible."""
        ...

    def abort(self) -> None:
        """Let go at once; whoever waits for a reply gets an ``OSError``."""
        ...

    async def send(self, frames: Sequence[bytes]) -> None:
        """Hand frames to the network. Raises ``OSError``."""
        ...

    async def reply(self) -> Reply:
        """Wait for the next readable reply; the caller sets the time-out. Raises ``OSError``."""
        ...


@dataclass(slots=True)
class Path:
    """One path.

    Attributes:
        link: what carries the frames.
        supervision_s: silence in seconds after which a NULL is sent over it.
        trouble: code under which its failure is reported over another path.
        cut: broken on purpose.
        troubled: its failure was noticed.
        failures: failures in a row.
        not_before: time of the loop before which it is left alone.
        spoke_at: time of the loop of the last frame.
        null: supervision message that waits for its reply.
    """

    link: Link
    supervision_s: float
    trouble: Code
    cut: bool = False
    troubled: bool = False
    failures: int = 0
    not_before: float = 0.0
    spoke_at: float = NEVER
    null: Outgoing | None = None

    def due_s(self, now: float) -> float:
        """Seconds until a NULL has to be sent over it, by the time of the loop; 0 for at once."""
        return max(0.0, self.spoke_at + self.supervision_s - now, self.not_before - now)
