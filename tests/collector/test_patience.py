"""What is waited for, where two wait at the same time."""

import asyncio

from collector.patience import Patience
from contracts.errors import DependencyUnavailable
from runtime.supervisor import Backoff


def state(patience: Patience, told: list[bool]) -> tuple[str | None, list[bool]]:
    return patience.waits_for, told


async def test_one_wait_that_is_over_does_not_hide_another() -> None:
    told: list[bool] = []
    patience = Patience(Backoff(first_s=0.01, most_s=0.01), told.append)
    back = {"store": False, "ops database": False}

    async def ask(what: str) -> str:
        if not back[what]:
            raise DependencyUnavailable("gone")
        return what

    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        store = group.create_task(patience.insist("store", lambda: ask("store")))
        while patience.waits_for != "store":
            await asyncio.sleep(0)
        database = group.create_task(patience.insist("ops database", lambda: ask("ops database")))
        while len(patience._waits) < 2:
            await asyncio.sleep(0)
        back["ops database"] = True
        assert await database == "ops database"
        assert await patience.insist("ops database", lambda: ask("ops database")) == "ops database"
        assert state(patience, told) == ("store", [True])
        back["store"] = True
        assert await store == "store"
        assert state(patience, told) == (None, [True, False])


async def test_a_wait_that_is_cut_short_is_over() -> None:
    told: list[bool] = []
    patience = Patience(Backoff(first_s=60, most_s=60), told.append)

    async def gone() -> None:
        raise DependencyUnavailable("gone")

    waiting = asyncio.ensure_future(patience.insist("store", gone))
    while patience.waits_for is None:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert state(patience, told) == (None, [True, False])
