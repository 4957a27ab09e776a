"""The server's data comes back from an older copy: what it no longer knows, the gateway still keeps."""

from pathlib import Path

import pytest

from collector.stores import STORE_DIRECTORY
from tests.loss.branch import Branch, ShiftedClock

HOUR_MS = 3_600_000

STORE, OPS = f"{STORE_DIRECTORY}/**/*", "ops.db*"


@pytest.mark.parametrize(
    "restored", [(STORE,), (OPS,), (STORE, OPS)], ids=["the store", "the ops database", "store and ops database"]
)
async def test_a_server_restored_from_an_hour_old_copy_gets_everything_back(
    restored: tuple[str, ...], tmp_path: Path
) -> None:
    clock = ShiftedClock()
    async with Branch(tmp_path).standing() as branch:
        async with branch.reading(clock) as gateway:
            async with branch.serving(clock) as collector:
                await branch.say(60)
                await branch.whole(collector)
            backup = branch.backup("an-hour-ago")
            clock.offset_ms += HOUR_MS
            async with branch.serving(clock) as collector:
                await branch.say(120)
                await branch.whole(collector)
            branch.restore(backup, *restored)
            await gateway.outbox.prune()
            async with branch.serving(clock) as collector:
                await branch.say(60)
                await branch.whole(collector)
                resent = (await gateway.outbox.statistics()).resent_packs
                assert (resent > 20) == (STORE in restored), "what was asked for again does not fit what was lost"
        async with branch.serving(clock) as collector:
            await branch.drained(collector)
            await branch.count(collector, at_least=240)
