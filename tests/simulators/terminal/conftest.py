"""A terminal that serves on free ports, without customers unless a test lets them come."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from simulators.terminal import TerminalSimulator
from simulators.world import CHINA, World

Serve = Callable[..., AbstractAsyncContextManager[TerminalSimulator]]

MORNING = datetime(2026, 3, 4, 10, 0, tzinfo=CHINA)

_QUICK: dict[str, Any] = {
    "answer_median_s": 0.0, "snmp_answer_s": 0.0, "snmp_silent_share": 0.0, "work_step_s": 0.005,
}  # fmt: skip


@pytest.fixture
def serve() -> Serve:
    """Serve a terminal."""

    @asynccontextmanager
    async def served(
        *, living: bool = False, world: World | None = None, **options: Any
    ) -> AsyncIterator[TerminalSimulator]:
        terminal = TerminalSimulator("sst-01", world or World(begin_at=MORNING), 0, 0, **(_QUICK | options))
        await terminal.start()
        life = asyncio.create_task(terminal.run()) if living else None
        try:
            yield terminal
        finally:
            if life is not None:
                life.cancel()
                await asyncio.wait([life], timeout=5)
            await terminal.stop()

    return served
