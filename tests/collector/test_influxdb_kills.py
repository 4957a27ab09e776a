"""Collector and InfluxDB killed again and again under load, each at moments of its own: every reading is stored once.

``KILLS`` is how often, both together, 20 where it is not set; `make trials` sets 50.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from runtime.broker import EmbeddedBroker
from tests.collector.kill_loop import KillLoop
from tests.conftest import free_port
from tests.influxdb import InfluxServer, WriteRoute

KILLS: Final = int(os.environ.get("KILLS", "20"))
COLLECTOR_KILLS: Final = KILLS * 2 // 3 + 1
LEAST_SERVER_KILLS: Final = KILLS - COLLECTOR_KILLS
LIFE_S: Final = (0.1, 1.5)
"""Of the server, from its start on: some end before it answers."""

pytestmark = pytest.mark.timeout(300)  # it takes 40 s, or longer on a loaded machine


class Killings:
    """Kills the server again and again.

    Attributes:
        count: how often so far.
    """

    def __init__(self, server: InfluxServer, chance: random.Random) -> None:
        self._server = server
        self._chance = chance
        self.count = 0

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            self._killing = group.create_task(self._kill())
            yield
            self.end()

    def end(self) -> None:
        """Let it live."""
        self._killing.cancel()

    async def _kill(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(*LIFE_S))
            self._server.kill()
            self.count += 1
            self._server.begin()


async def test_kills_of_collector_and_influxdb_lose_and_double_nothing(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), ack_wait_s=2)
    server = InfluxServer(tmp_path / "influxdb", free_port(), free_port())
    await broker.start()
    server.start()
    try:
        async with WriteRoute(server.url).listening() as route:
            settings: dict[str, Any] = {
                "store": "influxdb",
                "influxdb": {"url": route.url, "recent_readings": 3_000, "timeout_s": 2, "tries": 2},
            }
            loop = KillLoop(tmp_path / "collector", broker.port, settings, store_may_be_away=True)
            killings = Killings(server, random.Random(loop.seed))

            async def let_live(_chance: random.Random, number: int) -> None:
                if number == COLLECTOR_KILLS:
                    killings.end()

            async with killings.going_on():
                tally = await loop.run(COLLECTOR_KILLS, let_live)
    finally:
        server.kill()
        await broker.stop()
    print(tally, f"and {killings.count} kills of the server")
    assert (tally.lost, tally.doubled) == (0, 0)
    assert sum(tally.kills.values()) == COLLECTOR_KILLS
    assert killings.count >= LEAST_SERVER_KILLS
