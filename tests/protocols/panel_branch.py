"""A simulated panel and its driver over a real connection."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from contracts.devices import ALARM_PANEL
from gateway.drivers.sia_dc09 import Settings, create
from runtime.clock import SystemClock
from runtime.supervisor import Backoff
from simulators.alarm_panel import AlarmPanelSimulator
from simulators.alarm_panel.day import WITHOUT_MISHAPS
from simulators.world import CHINA, World
from tests.conftest import free_port
from tests.gateway.sia_dc09.recording_sink import RecordingSink

ACCOUNT = "4021"


class Branch:
    """A panel and its driver over a real connection."""

    def __init__(
        self, settings: Mapping[str, object] | None = None, *, port: int = 0, account: str = ACCOUNT, **panel: Any
    ) -> None:
        self.port = port or free_port()
        self.sink = RecordingSink(ALARM_PANEL)
        chosen = Settings.model_validate(
            {"listen_port": self.port, "account": account, "supervision_s": 0.3, **(settings or {})}
        )
        self.driver = create(chosen, ALARM_PANEL, SystemClock())
        self.panel = AlarmPanelSimulator(
            "alarm-01",
            World(seed=7, begin_at=datetime(2026, 11, 23, 12, 0, tzinfo=CHINA)),
            ("127.0.0.1", self.port),
            account,
            habits=WITHOUT_MISHAPS,
            **{
                "supervision_s": 0.2,
                "reply_timeout_s": 0.3,
                "pause": Backoff(0.05, 0.1),
                "clock_offset_s": 0.0,
                **panel,
            },
        )

    @asynccontextmanager
    async def driving(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.driver.run(self.sink))
        try:
            yield
        finally:
            assert not task.done(), task
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        await self.panel.start()
        task = asyncio.create_task(self.panel.run())
        try:
            yield
        finally:
            assert not task.done(), task
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.panel.stop()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.driving(), self.living():
            await self.until(lambda: self.sink.last("link/state") == "up")
            yield

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.01)

    async def settled(self) -> None:
        await self.until(lambda: self.panel.waiting == 0)
