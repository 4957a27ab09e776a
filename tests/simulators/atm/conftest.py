"""A machine that serves on a free port; customers come only in tests that let them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from simulators.atm import AtmSimulator
from simulators.world import CHINA, World

Serve = Callable[..., AbstractAsyncContextManager[AtmSimulator]]

NIGHT = datetime(2026, 3, 4, 3, 0, tzinfo=CHINA)
"""When next to nobody comes."""


@pytest.fixture
def serve() -> Serve:
    """Serve a machine, quiet and at night unless told otherwise."""

    @asynccontextmanager
    async def served(
        *, living: bool = False, world: World | None = None, **options: Any
    ) -> AsyncIterator[AtmSimulator]:
        atm = AtmSimulator(
            "atm-01", world or World(begin_at=NIGHT), 0, **({"answer_median_s": 0.0, "work_step_s": 0.02} | options)
        )
        await atm.start()
        life = asyncio.create_task(atm.run()) if living else None
        try:
            yield atm
        finally:
            if life is not None:
                life.cancel()
                await asyncio.wait([life], timeout=5)
            await atm.stop()

    return served
