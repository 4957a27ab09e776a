"""A receiver of pushes for tests: it answers by a number that the test sets, and keeps what came."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from runtime.clock import ManualClock
from simulators.milesight import MilesightSimulator, MqttTarget
from simulators.world import CHINA, World

MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=CHINA)


@dataclass
class Receiver:
    """What came, and what is answered."""

    port: int = 0
    status: int = 200
    reports: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refused: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/counters/br0001"

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.status != 200:
            self.refused += 1
            return web.Response(status=self.status)
        self.headers.append(dict(request.headers))
        self.raw.append(body)
        self.reports.append(json.loads(body))
        return web.Response()

    def lines(self, block: str = "line_periodic_data") -> list[tuple[int, int]]:
        """In and out of each report's only line."""
        return [(one[block][0]["total"]["in"], one[block][0]["total"]["out"]) for one in self.reports if block in one]


@contextlib.asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    one = Receiver()
    app = web.Application()
    app.router.add_post("/counters/br0001", one.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    one.port = int(runner.addresses[0][1])
    try:
        yield one
    finally:
        await runner.cleanup()


async def eventually(condition: Callable[[], bool], within_s: float = 20) -> None:
    """Wait until a condition holds; the time-out fails the test."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


class Door:
    """A sensor in a world whose clock the test moves a minute at a time."""

    def __init__(self, target: str | MqttTarget, begin: datetime = MORNING, **options: Any) -> None:
        self.clock = ManualClock(int(begin.timestamp() * 1000))
        self.sensor = MilesightSimulator("ftf-02", World(clock=self.clock, begin_at=begin), target, **options)

    async def minutes(self, count: int) -> None:
        """Let time pass; a look every 20 seconds."""
        for _ in range(count * 3):
            self.clock.advance(20_000)
            self.sensor.look()
        await asyncio.sleep(0)

    async def settled(self) -> None:
        await eventually(lambda: self.sensor.waiting == 0)


@contextlib.asynccontextmanager
async def living(door: Door) -> AsyncIterator[Door]:
    await door.sensor.start()
    task = asyncio.create_task(door.sensor.run())
    try:
        yield door
    finally:
        assert not task.done(), task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await door.sensor.stop()
