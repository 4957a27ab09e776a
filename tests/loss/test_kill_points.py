"""A gateway is killed at each step of a reading's way, several times over one outbox."""

import signal
from pathlib import Path

import pytest

from tests.loss.branch import Branch
from tests.loss.gateway_process import Step
from tests.loss.life import life

CALLS = (1, 7, 20)
"""Which call of the step is the last thing each life does."""


@pytest.mark.parametrize("step", list(Step))
async def test_a_gateway_killed_at_any_step_loses_and_doubles_nothing(step: Step, tmp_path: Path) -> None:
    async with Branch(tmp_path).standing() as branch, branch.serving() as collector:
        for calls in CALLS:
            async with life(branch.broker.port, tmp_path, branch.told, "--die", f"{step}:{calls}") as dying:
                assert await dying.ended() == -signal.SIGKILL
        async with life(branch.broker.port, tmp_path, branch.told):
            await branch.say(30)
            await branch.whole(collector)
        assert branch.figures().starts == len(CALLS) + 1
        await branch.drained(collector)
        await branch.count(collector)
