"""A gateway killed around the reply to an alarm panel: the panel says it again, and it is one event."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from contracts.pack import Header, PackId
from gateway.drivers.sia_dc09.frame import seal
from gateway.outbox import OutboxFile
from tests.conftest import free_port
from tests.gateway.core.test_killed_gateway import WAIT_S
from tests.gateway.core.wire import BRANCH, NOW_MS, readings_of

ROOT = Path(__file__).parents[3]
PANEL = f"{BRANCH}/alm-01"
UNDATED = seal(b'"ADM-CID"0007L0#1234[#1234|1130 01 015]')
DATED = seal(b'"ADM-CID"0007L0#1234[#1234|1130 01 015]_09:15:18,11-22-2026')
SECOND = seal(b'"ADM-CID"0008L0#1234[#1234|1133 01 015]')
RESTORED = seal(b'"ADM-CID"0009L0#1234[#1234|3133 01 015]')


class Branch:
    """A gateway that lives several times on one outbox, without a broker."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._broker_port = free_port()
        self._panel_port = free_port()

    @asynccontextmanager
    async def life(self, death: str = "never") -> AsyncIterator[asyncio.subprocess.Process]:
        """One life; it is ended with SIGKILL at the latest when the block ends."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.gateway.core.panel_process", str(self._broker_port), str(self._panel_port)),
            *(str(self._data_dir), death),
            cwd=ROOT,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def say(self, frame: bytes) -> bytes:
        """Say something as a panel does: connect when the gateway listens, and read until the reply or the end."""
        async with asyncio.timeout(WAIT_S):
            while True:
                with suppress(ConnectionRefusedError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._panel_port)
                    break
                await asyncio.sleep(0.05)
            writer.write(frame)
            try:
                return await reader.readuntil(b"\r")
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return b""
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    def told(self, path: str) -> list[float | str | bool | bytes | None]:
        """Values of a series of the panel in the outbox, in order, without repeats at once."""
        file = OutboxFile(self._data_dir / "gateway" / BRANCH / "outbox.db", BRANCH, NOW_MS)
        try:
            file.cut(200, everything=True)
            packs = file.unacknowledged(0, 2**53 - 1, 10_000)
        finally:
            file.close()
        header = Header(PackId(BRANCH, "any", 1), NOW_MS)
        values = [
            value
            for pack in packs
            for name, value, _ in readings_of(header, pack.fragments)
            if name == f"{PANEL}/{path}"
        ]
        if path == "panel/event":
            return values
        return [value for index, value in enumerate(values) if index == 0 or value != values[index - 1]]


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    return Branch(tmp_path)


@pytest.mark.parametrize("frame", [UNDATED, DATED])
async def test_a_message_committed_but_not_answered_is_answered_in_the_next_life_and_counts_once(
    branch: Branch, frame: bytes
) -> None:
    async with branch.life("after_commit") as process:
        assert await branch.say(frame) == b""
        assert await asyncio.wait_for(process.wait(), WAIT_S) == -9
    assert branch.told("panel/event") == ["ADM-CID 1130 01 015"]
    async with branch.life():
        assert b'"ACK"0007L0#1234[]' in await branch.say(frame)
    assert branch.told("panel/event") == ["ADM-CID 1130 01 015"]
    assert branch.told("panel/events")[-1] == 1
    assert branch.told("zone15/alarms") == [1]


async def test_a_message_whose_reply_was_lost_with_the_gateway_counts_once_and_the_alarm_holds(branch: Branch) -> None:
    async with branch.life():
        assert b'"ACK"0007' in await branch.say(UNDATED)
    async with branch.life():
        assert b'"ACK"0007' in await branch.say(UNDATED)
        assert b'"ACK"0008' in await branch.say(SECOND)
    async with branch.life():
        assert b'"ACK"0008' in await branch.say(SECOND)
        assert b'"ACK"0009' in await branch.say(RESTORED)
    assert branch.told("panel/event") == ["ADM-CID 1130 01 015", "ADM-CID 1133 01 015", "ADM-CID 3133 01 015"]
    assert branch.told("zone15/alarm") == ["burglary"], "one of two alarms still holds"
    async with branch.life():
        assert b'"ACK"0009' in await branch.say(RESTORED)
    assert branch.told("zone15/alarms")[-1] == 2
    assert branch.told("panel/events")[-1] == 3
