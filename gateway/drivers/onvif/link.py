"""How the connection to a camera stands, from its calls, its events and its stream. Pure."""

from gateway.driver import Observation
from gateway.drivers.onvif.memory import Memory

AUTHORIZED = "authorized"
NOT_AUTHORIZED = "notAuthorized"
ACTIVE = "active"
LOST = "lost"
_UNKNOWN = "unknown"


class Link:
    """The connection to one camera; kept across runs.

    Attributes:
        answers: whether its calls are answered, ``None`` before the first. Of a camera without ONVIF: its stream.
        stream_answers: whether an RTSP server answers, ``None`` before the first look.
        auth: word of ``link/auth``.
        subscription: word of ``link/subscription``.
        round_trip_s: of the last call.

    Args:
        memory: where reconnections are counted.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._was_up = False
        self.begin()

    def begin(self) -> None:
        """A new run knows nothing yet."""
        self.answers: bool | None = None
        self.stream_answers: bool | None = None
        self.auth = _UNKNOWN
        self.subscription = _UNKNOWN
        self.round_trip_s: float | None = None

    def answered(self) -> None:
        """A call was answered."""
        if not self.answers:
            self._memory.reconnects += self._was_up
            self._was_up = True
        self.answers = True

    def gone(self) -> None:
        """So many calls in a row were not."""
        self.answers = False
        self.round_trip_s = None

    def observations(self) -> list[Observation]:
        """Signals of the link."""
        seen = [
            Observation("link/auth", self.auth),
            Observation("link/subscription", self.subscription),
            Observation("link/reconnects", self._memory.reconnects),
            Observation("link/protocol_errors", self._memory.protocol_errors),
        ]
        if self.answers is not None:
            seen.append(Observation("link/state", self._state()))
        if self.round_trip_s is not None:
            seen.append(Observation("link/round_trip", round(self.round_trip_s, 4)))
        return seen

    def _state(self) -> str:
        if not self.answers:
            return "degraded" if self.stream_answers else "down"
        return "degraded" if self.auth == NOT_AUTHORIZED or self.subscription == LOST else "up"
