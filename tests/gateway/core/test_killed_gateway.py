"""A gateway killed while it publishes: what it took from its device arrives, and each reading is one reading."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.outbox import statistics
from runtime.settings import BrokerSettings
from tests.gateway.core.wire import BRANCH, Listener

ROOT = Path(__file__).parents[3]

WAIT_S = 100.0
"""Far more than anything here takes; a loaded machine is slow, above all to start a process."""


@asynccontextmanager
async def gateway(broker: BrokerSettings, data_dir: Path, first: int) -> AsyncIterator[asyncio.StreamReader]:
    """A gateway process; killed at the end, whatever it is doing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.gateway.core.gateway_process", str(broker.port), str(data_dir), str(first)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def test_nothing_taken_is_lost_or_doubled_over_three_kills(broker: BrokerSettings, tmp_path: Path) -> None:
    told: set[int] = set()
    async with Listener(broker) as listener:
        for life in range(3):
            async with gateway(broker, tmp_path, 100_000 * (life + 1)) as output:
                async with asyncio.timeout(WAIT_S):
                    for _ in range(120 + 37 * life):
                        told.add(int(await output.readline()))
            told.update(int(line) for line in (await output.read()).splitlines(keepends=True) if line.endswith(b"\n"))
        async with gateway(broker, tmp_path, 900_000):
            await listener.until(lambda: told <= numbers(listener).keys(), timeout_s=WAIT_S)
        path = tmp_path / "gateway" / BRANCH / "outbox.db"
        last_seq = statistics(path).last_seq
        async with gateway(broker, tmp_path, 950_000):
            await listener.until(lambda: set(range(1, last_seq + 1)) <= set(listener.seqs()), timeout_s=WAIT_S)
    assert all(len(times) == 1 for times in numbers(listener).values())
    boots = {pack.header.pack_id.boot for pack in listener.packs() if pack.header}
    assert len(boots) == 1
    assert statistics(path).boot in boots
    for seq in set(listener.seqs()):
        contents = {pack.records for pack in listener.packs() if pack.seq == seq}
        assert len(contents) == 1, f"seq {seq} was given to different readings"
    one_delivery = {pack.seq: pack for pack in listener.packs()}.values()
    names = [(record.name, record.time_s) for pack in one_delivery for record in pack.records]
    assert len(names) == len(set(names)), "two readings of a series have one time"


def numbers(listener: Listener) -> dict[int, set[float]]:
    """Numbers of the errors that arrived, each with the times it came with."""
    found: dict[int, set[float]] = {}
    for pack in listener.packs():
        for record in pack.records:
            if record.name == f"{BRANCH}/atm-01/cdm/error":
                found.setdefault(int(str(record.value)), set()).add(record.time_s)
    return found
