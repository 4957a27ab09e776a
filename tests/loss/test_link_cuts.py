"""The line between a gateway and its broker is cut and restored."""

import asyncio
from pathlib import Path

import pytest

from simulators.line import Cut
from tests.loss.branch import Branch


@pytest.mark.parametrize("how", list(Cut))
async def test_a_cut_of_a_second_loses_and_doubles_nothing(how: Cut, tmp_path: Path) -> None:
    async with Branch(tmp_path, through_a_line=True).standing() as branch, branch.serving() as collector:
        assert branch.line is not None
        async with branch.reading():
            for _ in range(3):
                await branch.say(30)
                await branch.line.cut(how)
                await asyncio.sleep(1)
                await branch.line.restore()
            await branch.say(30)
            await branch.whole(collector)
        await branch.drained(collector)
        await branch.count(collector, at_least=120)
