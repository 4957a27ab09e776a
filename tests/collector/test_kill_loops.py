"""A collector killed again and again under load, and its broker, too: every reading is in the store once.

``KILLS`` is how often, 20 where it is not set; `make trials` sets 50.
"""

import os
import random
import shutil
import signal
from pathlib import Path
from typing import Any, Final

import pytest

from runtime.broker import EmbeddedBroker
from tests.collector.collector_process import Step
from tests.collector.kill_loop import KillLoop
from tests.conftest import free_port
from tests.loss.branch import until

TINY: Final[dict[str, Any]] = {"duckdb": {"recent_readings": 3_000, "recent_hours": 0.01}}
"""The store puts its files in order all the time."""

KILLS: Final = int(os.environ.get("KILLS", "20"))


@pytest.mark.timeout(300)
async def test_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    """Nothing is sent again that the broker took: what is acknowledged to it is in the store."""
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), ack_wait_s=2)
    await broker.start()
    try:
        tally = await KillLoop(tmp_path / "collector", broker.port, TINY, deaf=True).run(KILLS)
    finally:
        await broker.stop()
    print(tally)
    assert (tally.lost, tally.doubled) == (0, 0)
    assert sum(tally.kills.values()) == KILLS
    assert list((tmp_path / "collector" / "data").rglob("readings-*.duckdb")), "nothing was put in order"
    assert {Step.OPENING, Step.APPENDING, Step.APPENDED, Step.MAINTAINING} <= set(tally.kills), "a step was left out"


@pytest.mark.timeout(300)
async def test_kills_of_collector_and_broker_and_a_broker_that_forgot_all_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", port=free_port(), ack_wait_s=2)

    async def kill_broker(chance: random.Random, number: int) -> None:
        if number % 4:
            return
        pid = broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until("the broker is dead", lambda: broker.pid is None)
        if number == 8:
            shutil.rmtree(tmp_path / "broker")
        await broker.start()

    await broker.start()
    try:
        tally = await KillLoop(tmp_path / "collector", broker.port, TINY).run(16, kill_broker)
    finally:
        await broker.stop()
    print(tally)
    assert (tally.lost, tally.doubled) == (0, 0)
    assert tally.resent > 0, "nothing was asked for again"
