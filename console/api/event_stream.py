"""Live updates: the event log as server-sent events, each event once, from wherever a listener left off.

One reader follows the log and keeps the newest events as ready bytes; every listener has only a position. Who falls behind
the kept ones reads from the log itself, so memory is bounded however slow a listener is.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final, Protocol

from contracts.errors import DependencyUnavailable
from runtime.event_log import Event
from runtime.logs import get_logger

_log = get_logger(__name__)

_PAGE: Final = 500


class ReadableLog(Protocol):
    """What is needed of :class:`runtime.event_log.EventLog`."""

    async def read(self, after: int, types: tuple[str, ...] = ..., limit: int = ...) -> list[Event]:
        """Events after an id, in order."""
        ...

    async def last_id(self) -> int:
        """Id of the newest event, 0 where there is none."""
        ...

    async def wait(self, timeout_s: float) -> None:
        """Wait for news, at most so long."""
        ...


def frame(event: Event) -> bytes:
    """Write an event as one server-sent event without a name, so that ``onmessage`` gets every type."""
    data = {
        "id": event.id,
        "at_ms": event.at_ms,
        "type": event.type,
        "subject": event.subject,
        "actor": event.actor,
        "data": event.data,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.id}\ndata: {text}\n\n".encode()


def reset_frame(position: int) -> bytes:
    """Tell a listener whose position the log does not have to read everything again and go on from ``position``."""
    return f'id: {position}\nevent: reset\ndata: {{"position":{position}}}\n\n'.encode()


class EventStream:
    """Follows the log for all listeners of this process."""

    def __init__(self, log: ReadableLog, *, kept: int = 2000, poll_s: float = 0.5) -> None:
        self._log = log
        self._poll_s = poll_s
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=kept)
        self._position = 0
        self._kept_from = 0
        self._news = asyncio.Condition()
        self._closed = False
        self.listeners = 0

    async def start(self) -> None:
        """Begin at the newest event; older ones are read from the log by whoever asks for them."""
        self._position = self._kept_from = await self._log.last_id()

    async def run(self) -> None:
        """Follow the log until cancelled; an unreachable database is waited for."""
        while True:
            try:
                events = await self._log.read(self._position, limit=_PAGE)
            except DependencyUnavailable as error:
                _log.warning("live updates wait for the event log", error=str(error))
                await asyncio.sleep(self._poll_s)
                continue
            if not events:
                await self._log.wait(self._poll_s)
                continue
            for event in events:
                if len(self._kept) == self._kept.maxlen:
                    self._kept_from = self._kept[0][0]
                self._kept.append((event.id, frame(event)))
            self._position = events[-1].id
            async with self._news:
                self._news.notify_all()

    async def close(self) -> None:
        """End every listener's stream."""
        self._closed = True
        async with self._news:
            self._news.notify_all()

    async def listen(self, after: int | None, keep_alive_s: float) -> AsyncGenerator[bytes, None]:
        """Give frames after an event id, forever.

        Args:
            after: id of the last event the listener has; ``None``: only what comes from now on.
            keep_alive_s: a comment is given after so long a silence, in seconds.

        Raises:
            DependencyUnavailable: events it missed cannot be read; it comes again with the same position.
        """
        newest = await self._log.last_id()
        position = newest if after is None else after
        if position > newest:
            yield reset_frame(newest)
            position = newest
        else:
            yield f": from {position}\n\n".encode()
        while not self._closed:
            frames = await self._after(position)
            if frames:
                position = frames[-1][0]
                yield b"".join(data for _, data in frames)
            elif not await self._news_after(position, keep_alive_s):
                yield b": alive\n\n"

    async def _after(self, position: int) -> list[tuple[int, bytes]]:
        if position >= self._position:
            return []
        if position >= self._kept_from:
            return [(id_, data) for id_, data in self._kept if id_ > position][:_PAGE]
        return [(event.id, frame(event)) for event in await self._log.read(position, limit=_PAGE)]

    async def _news_after(self, position: int, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(lambda: self._closed or self._position > position)
        except TimeoutError:
            return False
        return True
