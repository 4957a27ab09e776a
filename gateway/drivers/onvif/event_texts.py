"""Which of the camera's other messages become events: each topic now and then, all together no more than a few a minute."""

from typing import Final

TOPIC_PAUSE_S: Final = 60.0
"""A topic tells at most one event in this time; how many were left out is told with the next one."""

BURST: Final = 20
REFILL_S: Final = 6.0
"""One further event in this time: ten a minute from one camera."""

TOPICS_MOST: Final = 64


class EventTexts:
    """Bounds the rate of event texts."""

    def __init__(self) -> None:
        self._told_s: dict[str, float] = {}
        self._left_out: dict[str, int] = {}
        self._room = float(BURST)
        self._looked_s: float | None = None

    def offer(self, topic: str, text: str, now_s: float) -> str | None:
        """The event to tell, ``None`` where it is too soon.

        Args:
            topic: what it is about.
            text: what happened.
            now_s: seconds on a steady clock.
        """
        if self._looked_s is not None:
            self._room = min(float(BURST), self._room + max(0.0, now_s - self._looked_s) / REFILL_S)
        self._looked_s = now_s
        told_s = self._told_s.get(topic)
        if (told_s is not None and now_s - told_s < TOPIC_PAUSE_S) or self._room < 1:
            if topic in self._left_out or len(self._left_out) < TOPICS_MOST:
                self._left_out[topic] = self._left_out.get(topic, 0) + 1
            return None
        self._room -= 1
        self._told_s.pop(topic, None)
        if len(self._told_s) >= TOPICS_MOST:
            self._told_s.pop(next(iter(self._told_s)))  # the one told longest ago
        self._told_s[topic] = now_s
        left_out = self._left_out.pop(topic, 0)
        return f"{text} (+{left_out})" if left_out else text
