"""Processes are killed while gateways publish; afterwards every reading is stored, and stored once."""

import asyncio
import os
import random
import signal

import pytest

from branchwatch.deployment import Completeness
from tests.end_to_end.conftest import Trial

KILLS = 3

pytestmark = pytest.mark.timeout(240)


def assert_every_reading_once(counted: Completeness) -> None:
    readings = counted.readings
    assert readings.produced > 500, "too few readings to prove anything"
    assert (readings.stored, readings.lost, readings.doubled) == (readings.produced, 0, 0)


async def use(chance: random.Random) -> None:
    """Let the branches be used for a moment that is different each time."""
    await asyncio.sleep(chance.uniform(1.0, 3.0))


async def test_a_server_killed_under_load_finds_every_reading_once(trial: Trial) -> None:
    chance = random.Random(1)
    for _ in range(KILLS):
        await trial.cause_alarms()
        await use(chance)
        await trial.deployment.server.kill()
        await use(chance)
        await trial.deployment.server.start()
        await trial.deployment.wait_ready()
    assert_every_reading_once(await trial.finish())


async def test_a_gateway_killed_under_load_loses_and_doubles_nothing(trial: Trial) -> None:
    chance = random.Random(2)
    for _ in range(KILLS):
        await trial.cause_alarms()
        await use(chance)
        await trial.deployment.gateways.kill()
        await use(chance)
        await trial.deployment.gateways.start()
        await trial.deployment.wait_connected()
    assert_every_reading_once(await trial.finish())


async def test_a_broker_killed_under_load_loses_and_doubles_nothing(trial: Trial) -> None:
    chance = random.Random(3)
    for _ in range(KILLS):
        await trial.cause_alarms()
        await use(chance)
        pid = trial.deployment.broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await use(chance)
        await trial.deployment.wait_ready()
    assert_every_reading_once(await trial.finish())
