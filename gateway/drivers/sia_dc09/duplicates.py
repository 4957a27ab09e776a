"""Messages taken lately, so that one sent again is acknowledged again and takes effect once."""

from collections import OrderedDict
from typing import Final, TypeAlias

from gateway.drivers.sia_dc09.frame import Frame

MessageKey: TypeAlias = tuple[str, str | None, str | None, str, str, str]

MOST_MESSAGES: Final = 9999
"""As many as sequence numbers there are."""

DATED_WINDOW_S: Final = 24 * 3600.0
UNDATED_WINDOW_S: Final = 180.0
"""A message without a timestamp is the same only as long as a panel repeats it: 3 tries of at most 60 s.

Longer would be dangerous: a panel that restarts counts from 0001 again, and a second real alarm with the same number
would be taken for the first.
"""


def key_of(frame: Frame) -> MessageKey:
    """Identity of a message: the same for every repetition of it."""
    return (frame.account, frame.receiver, frame.line, frame.sequence, frame.data + frame.extra, frame.timestamp)


class RecentMessages:
    """Sliding window over the messages taken, bounded in number and age."""

    def __init__(self) -> None:
        self._taken_s: OrderedDict[MessageKey, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._taken_s)

    def has(self, frame: Frame, now_s: float) -> bool:
        """Tell whether the message was taken within its window; ``now_s`` is on any steady clock, the same in all calls."""
        taken_s = self._taken_s.get(key_of(frame))
        window_s = DATED_WINDOW_S if frame.timestamp else UNDATED_WINDOW_S
        return taken_s is not None and now_s - taken_s <= window_s

    def remember(self, frame: Frame, now_s: float) -> None:
        """Note that the message was taken, or repeated, now."""
        key = key_of(frame)
        self._taken_s[key] = now_s
        self._taken_s.move_to_end(key)
        while len(self._taken_s) > MOST_MESSAGES or next(iter(self._taken_s.values())) < now_s - DATED_WINDOW_S:
            self._taken_s.popitem(last=False)
