"""What became of a frame, and what is said back."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.drivers.sia_dc09.gate import Flaw


class Outcome(StrEnum):
    """What became of the bytes of a frame."""

    TAKEN = "taken"
    SUPERVISION = "supervision"
    DUPLICATE = "duplicate"
    NOT_COMMITTED = "not_committed"
    NOT_ASKED = "not_asked"  # more waited for their turn than may wait, or too long
    UNREADABLE = Flaw.UNREADABLE.value
    UNKNOWN_ACCOUNT = Flaw.UNKNOWN_ACCOUNT.value
    NOT_DECIPHERED = Flaw.NOT_DECIPHERED.value
    PLAIN_TEXT = Flaw.PLAIN_TEXT.value
    OUT_OF_TIME = "out_of_time"
    UNSUPPORTED = "unsupported"
    NO_EVENT = "no_event"
    UNKNOWN_CODE = "unknown_code"


_GOOD: Final = frozenset(
    {
        Outcome.TAKEN,
        Outcome.SUPERVISION,
        Outcome.DUPLICATE,
        Outcome.NOT_COMMITTED,
        Outcome.NOT_ASKED,
        Outcome.OUT_OF_TIME,
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Outcome of a frame and the bytes to send back, empty for silence."""

    outcome: Outcome
    reply: bytes = b""

    @property
    def is_good(self) -> bool:
        """Whether the frame was one this panel may send."""
        return self.outcome in _GOOD
