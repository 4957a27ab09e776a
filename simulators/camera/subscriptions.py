"""Pull points: the few subscriptions a camera can hold, each with a queue of what its subscriber has not fetched."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from simulators.camera.notifications import Notification

SLOTS: Final = 5
"""Pull points a camera can hold. Source: observed in the field."""

QUEUE: Final = 200
"""Messages kept for a slow subscriber; then the oldest are lost. Source: assumed."""


@dataclass(slots=True, eq=False)
class PullPoint:
    """One subscription.

    Attributes:
        number: by which its address is told from others.
        expires_ms: real time at which it ends, milliseconds since 1970.
        topics: topics wanted, each exact or with everything below it; empty for all.
        waiting: not yet fetched.
        stirred: set while there is something to fetch, and when it has ended.
        ended: it exists no more.
        lost: messages that found no room.
    """

    number: int
    expires_ms: int
    topics: Sequence[str] = ()
    waiting: deque[Notification] = field(default_factory=deque)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    lost: int = 0

    def offer(self, news: Iterable[Notification]) -> None:
        """Keep what the subscriber wants."""
        for one in news:
            if self.topics and not any(_matches(wanted, one.topic) for wanted in self.topics):
                continue
            if len(self.waiting) >= QUEUE:
                self.waiting.popleft()
                self.lost += 1
            self.waiting.append(one)
        if self.waiting:
            self.stirred.set()

    def take(self, limit: int) -> list[Notification]:
        """Fetch up to so many messages, oldest first."""
        taken = [self.waiting.popleft() for _ in range(min(limit, len(self.waiting)))]
        if not self.waiting and not self.ended:
            self.stirred.clear()
        return taken


def _matches(wanted: str, topic: str) -> bool:
    if wanted.endswith("//."):
        root = wanted.removesuffix("//.")
        return topic == root or topic.startswith(root + "/")
    return topic == wanted


class PullPoints:
    """All subscriptions of a camera. They end by time, by their subscriber or by the camera."""

    def __init__(self) -> None:
        self._points: dict[int, PullPoint] = {}
        self._next_number = 1

    def __len__(self) -> int:
        return len(self._points)

    def create(self, now_ms: int, life_ms: int, topics: Sequence[str]) -> PullPoint | None:
        """Open a subscription, ``None`` where all slots are taken."""
        self.expire(now_ms)
        if len(self._points) >= SLOTS:
            return None
        point = PullPoint(self._next_number, now_ms + life_ms, topics)
        self._next_number += 1
        self._points[point.number] = point
        return point

    def find(self, number: int, now_ms: int) -> PullPoint | None:
        """The living subscription of a number."""
        self.expire(now_ms)
        return self._points.get(number)

    def expire(self, now_ms: int) -> None:
        """End those whose time is over."""
        for point in [point for point in self._points.values() if point.expires_ms <= now_ms]:
            self.end(point)

    def end(self, point: PullPoint) -> None:
        """End one; who waits for it is told."""
        self._points.pop(point.number, None)
        point.ended = True
        point.stirred.set()

    def end_all(self) -> None:
        """End all, as a restart does."""
        for point in list(self._points.values()):
            self.end(point)

    def publish(self, news: Sequence[Notification]) -> None:
        """Offer news to every subscriber."""
        if news:
            for point in self._points.values():
                point.offer(news)
