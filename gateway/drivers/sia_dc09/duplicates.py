"""Messages taken lately, so that one sent again is acknowledged again and takes effect once."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import replace
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


_ANY_TIME: Final = "*"

MOST_CORRECTED: Final = 256
"""A panel whose clock is wrong has a few messages under way, not hundreds."""


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
        window_s = UNDATED_WINDOW_S if frame.timestamp in {"", _ANY_TIME} else DATED_WINDOW_S
        return taken_s is not None and now_s - taken_s <= window_s

    def surplus(self, frames: Collection[Frame], now_s: float) -> list[str]:
        """Keys that go where messages, or one under several identities, are remembered now."""
        new = {key_of(frame) for frame in frames}
        too_many = len(self._taken_s) + sum(key not in self._taken_s for key in new) - MOST_MESSAGES
        others = ((other, taken_s) for other, taken_s in self._taken_s.items() if other not in new)
        gone = []
        for place, (other, taken_s) in enumerate(others):  # the oldest first
            if place >= too_many and taken_s >= now_s - DATED_WINDOW_S:
                break
            gone.append(other)
        return gone

    def remember(self, frames: Collection[Frame], now_s: float) -> None:
        """Note that they were taken, or repeated, now."""
        for key in self.surplus(frames, now_s):
            del self._taken_s[key]
        for frame in frames:
            key = key_of(frame)
            self._taken_s[key] = now_s
            self._taken_s.move_to_end(key)


def without_time(frame: Frame) -> Frame:
    """The message whatever time it gives; not the same as one that gives none."""
    return replace(frame, timestamp=_ANY_TIME, sent_at=None)


class CorrectedMessages:
    """Messages whose panel was told the time, so that they come again with another one.

    Where several were under way, each refusal can make the panel write all of them anew, those too that were taken meanwhile:
    such a message is the same whatever its time. For others the time is what tells a second alarm from a repetition.
    """

    def __init__(self) -> None:
        self._told_s: OrderedDict[str, float] = OrderedDict()

    def remember(self, frame: Frame, now_s: float) -> None:
        """Note that the panel of this message was told the time."""
        key = key_of(without_time(frame))
        self._told_s[key] = now_s
        self._told_s.move_to_end(key)
        while len(self._told_s) > MOST_CORRECTED:
            self._told_s.popitem(last=False)

    def has(self, frame: Frame, now_s: float) -> bool:
        """Tell whether that was lately."""
        told_s = self._told_s.get(key_of(without_time(frame)))
        return told_s is not None and now_s - told_s <= UNDATED_WINDOW_S
