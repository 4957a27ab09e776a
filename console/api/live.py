"""The event stream over HTTP."""

import asyncio
from contextlib import aclosing
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge
from pydantic import Field

from console.api import problem
from console.api.endpoint import AnyEndpoint, Inputs, RawEndpoint
from console.api.event_stream import EventStream
from console.api.problem import FieldProblem, RequestRefused
from console.settings import ConsoleSettings
from contracts.errors import DependencyUnavailable
from runtime.logs import get_logger

_log = get_logger(__name__)

_WRITE_TIMEOUT_S: Final = 20.0


class EventsQuery(Inputs):
    """Where to go on."""

    after: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="id of the last event known; the header Last-Event-ID wins; none: only new events",
    )


class LiveHandlers:
    """Writes the stream to each listener, at most so many at a time."""

    def __init__(self, stream: EventStream, settings: ConsoleSettings, registry: CollectorRegistry) -> None:
        self._stream = stream
        self._settings = settings
        self._listeners = Gauge("branchwatch_event_listeners", "Open event streams", registry=registry)
        self._open = 0

    async def events(self, request: web.Request, query: EventsQuery) -> web.StreamResponse:
        """Stream until the listener leaves, stalls for too long or the server stops."""
        after = _last_event_id(request, query)
        if self._open >= self._settings.max_listeners:
            raise RequestRefused(
                problem.TOO_MANY_LISTENERS, f"{self._open} event streams are open, the most that are allowed"
            )
        self._open += 1
        self._listeners.inc()
        try:
            return await self._write(request, after)
        finally:
            self._open -= 1
            self._listeners.dec()

    async def _write(self, request: web.Request, after: int | None) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        async with aclosing(self._stream.listen(after, self._settings.keep_alive_s)) as frames:
            first = await anext(frames)  # a database that does not answer is still a plain 503 here
            await response.prepare(request)
            try:
                await response.write(b"retry: 2000\n" + first)
                async for frame in frames:
                    async with asyncio.timeout(_WRITE_TIMEOUT_S):
                        await response.write(frame)
            except (ConnectionError, DependencyUnavailable, TimeoutError) as error:
                _log.info("event stream ended", remote=request.remote, error=str(error) or type(error).__name__)
        return response


def _last_event_id(request: web.Request, query: EventsQuery) -> int | None:
    header = request.headers.get("Last-Event-ID", "").strip()
    if not header:
        return query.after
    if not (header.isascii() and header.isdecimal() and len(header) < 19):
        expected = "id of an event, a whole number from 0"
        raise RequestRefused(
            problem.INVALID,
            f"Last-Event-ID: expected {expected}, got {header[:50]!r}",
            [FieldProblem(where="header.Last-Event-ID", expected=expected, got=header[:200])],
        )
    return int(header)


def endpoints(stream: EventStream, settings: ConsoleSettings, registry: CollectorRegistry) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = LiveHandlers(stream, settings, registry)
    return (
        RawEndpoint(
            "/api/v1/events", "streamEvents", "Server-sent events of every change, resumed after Last-Event-ID",
            EventsQuery, "text/event-stream", handlers.events, (problem.UNAVAILABLE, problem.TOO_MANY_LISTENERS),
        ),
    )  # fmt: skip
