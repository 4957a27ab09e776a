"""A minute without disk, a minute without line, and the return after thirteen hours: side by side, because they take long."""

import asyncio
from pathlib import Path

import pytest

from collector.adapters.duckdb_store import RECENT_FILE
from collector.stores import STORE_DIRECTORY
from simulators.line import Cut
from tests.loss.branch import Branch, until
from tests.loss.full_disk import no_more_bytes
from tests.loss.long_cut import thirteen_hours
from tests.loss.test_full_disk import without_disk

MINUTE_S = 60.0


@pytest.mark.timeout(300)
async def test_a_minute_and_thirteen_hours_lose_and_double_nothing(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as trials:
        trials.create_task(without_disk(tmp_path / "disk", no_more_bytes, MINUTE_S))
        await has_its_tables(tmp_path / "disk" / "server")
        trials.create_task(without_line(tmp_path / "line", MINUTE_S))
        await has_its_tables(tmp_path / "line" / "server")
        trials.create_task(thirteen_hours(tmp_path / "hours"))


async def has_its_tables(server: Path) -> None:
    """Alembic migrates one database of a process at a time; the store is opened after that."""
    await until("the server has its tables", (server / STORE_DIRECTORY / RECENT_FILE).exists)


async def without_line(directory: Path, hold_s: float) -> None:
    """A branch like any other, whose line is cut for so long."""
    async with Branch(directory, through_a_line=True).standing() as branch, branch.serving() as collector:
        assert branch.line is not None
        async with branch.reading(pause_s=0.05):
            await branch.say(20)
            await branch.line.cut(Cut.REFUSE)
            await asyncio.sleep(hold_s)
            await branch.line.restore()
            await branch.say(20)
            await branch.whole(collector)
        await branch.drained(collector)
        await branch.count(collector)
