"""One life of a gateway in a process of its own: :mod:`tests.loss.gateway_process`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.loss.branch import BRANCH, WAIT_S

_ROOT = Path(__file__).parents[2]
_STOP_S = 30.0


class Life:
    """A running gateway process.

    Attributes:
        told: numbers it printed, each after the hand-over returned.
        ended: its exit code, once it has ended.
    """

    def __init__(self, process: asyncio.subprocess.Process, told: list[int]) -> None:
        self._process = process
        self.told = told

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> int:
        """Wait until it ends by itself; its exit code, negative for a signal."""
        async with asyncio.timeout(WAIT_S):
            return await self._process.wait()


@asynccontextmanager
async def life(
    broker_port: int, data_dir: Path, told: list[int], *options: str, branch_id: str = BRANCH
) -> AsyncIterator[Life]:
    """Start a gateway; at the end it is stopped in order, where it still lives."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.loss.gateway_process", branch_id, str(broker_port), str(data_dir), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT,
    )
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_listen(process, told))
            try:
                yield Life(process, told)
            finally:
                await _end(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _listen(process: asyncio.subprocess.Process, told: list[int]) -> None:
    assert process.stdout is not None
    while (line := await process.stdout.readline()).endswith(b"\n"):  # else it died in the middle of the word
        told.append(int(line))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
