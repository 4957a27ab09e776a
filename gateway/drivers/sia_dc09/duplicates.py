"""Messages taken lately, so that one sent again is acknowledged again and takes effect once."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from gateway.drivers.sia_dc09.frame import Frame

MOST_MESSAGES: Final = 9999
"""As many as sequence numbers there are."""

DATED_WINDOW_S: Final = 24 * 3600.0
UNDATED_WINDOW_S: Final = 180.0
"""A message without a timestamp is the same only as long as a panel repeats it: 3 tries of at most 60 s.

Longer would be dangerous: a panel that restarts counts from 0001 again, and a second real alarm with the same number
would be taken for the first.
"""


def key_of(frame: Frame) -> str:
    """Identity of a message: the same for every repetition of it, in this life of the gateway and in the next."""
    said = (frame.account, frame.receiver, frame.line, frame.sequence, frame.data + frame.extra, frame.timestamp)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


class RecentMessages:
    """Sliding window over the messages taken, bounded in number and age.

    ``now_s`` is on a clock that runs only while the gateway lives, the same in all calls: a panel that could not reach us
    did not use up its tries, and goes on with the same message when we are back.

    Args:
        taken_s: messages taken before, by key, with when.
    """

    def __init__(self, taken_s: Iterable[tuple[str, float]] = ()) -> None:
        self._taken_s = OrderedDict(sorted(taken_s, key=lambda item: item[1]))

    def __len__(self) -> int:
        return len(self._taken_s)

    def has(self, frame: Frame, now_s: float) -> bool:
        """Tell whether the message was taken within its window."""
        taken_s = self._taken_s.get(key_of(frame))
        window_s = DATED_WINDOW_S if frame.timestamp else UNDATED_WINDOW_S
        return taken_s is not None and now_s - taken_s <= window_s

    def surplus(self, frame: Frame, now_s: float) -> list[str]:
        """Keys that go where the message is remembered now."""
        key = key_of(frame)
        too_many = len(self._taken_s) + (key not in self._taken_s) - MOST_MESSAGES
        others = ((other, taken_s) for other, taken_s in self._taken_s.items() if other != key)
        gone = []
        for place, (other, taken_s) in enumerate(others):  # the oldest first
            if place >= too_many and taken_s >= now_s - DATED_WINDOW_S:
                break
            gone.append(other)
        return gone

    def remember(self, frame: Frame, now_s: float) -> None:
        """Note that the message was taken, or repeated, now."""
        for key in self.surplus(frame, now_s):
            del self._taken_s[key]
        key = key_of(frame)
        self._taken_s[key] = now_s
        self._taken_s.move_to_end(key)
