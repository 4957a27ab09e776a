"""``branchwatch gateway FILE`` takes over a changed file at SIGHUP while an alarm panel reports: nothing is lost or doubled.

The witness is the panel: it says a number until that is acknowledged, and only then the next.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from gateway.drivers.sia_dc09.frame import seal
from gateway.outbox import statistics
from runtime.settings import BrokerSettings
from tests.conftest import free_port
from tests.gateway.core.wire import BRANCH, Listener

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0
SECRET = "not-a-key-but-secret"


class Gateway:
    """The process, its settings file and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process, path: Path) -> None:
        self.process = process
        self.path = path
        self.log = ""

    async def listen(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log += line.decode()

    async def reload(self, text: str, said: str) -> str:
        """Change the file, ask for it to be read, and give what was logged once ``said`` is among it."""
        self.path.write_text(text, encoding="utf-8")
        before = len(self.log)
        self.process.send_signal(signal.SIGHUP)
        await until(said, lambda: said in self.log[before:])
        return self.log[before:]


async def until(what: str, true: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not true():
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"waited in vain: {what}") from error


@asynccontextmanager
async def gateway(path: Path, text: str) -> AsyncIterator[Gateway]:
    path.write_text(text, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "branchwatch", "gateway", str(path), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    running = Gateway(process, path)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
        process.terminate()
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0, running.log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listening


class Panel:
    """Says numbers as test reports, each until it is acknowledged."""

    def __init__(self, port: int) -> None:
        self.acknowledged = 0
        self.connections = 0
        self._port = port

    async def report(self) -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                self.connections += 1
                try:
                    await self._converse(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.05)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            number = self.acknowledged + 1
            assert number <= 999
            writer.write(seal(b'"ADM-CID"%04dL0#1234[#1234|1602 00 %03d]' % (number, number)))
            async with asyncio.timeout(5):
                reply = await reader.readuntil(b"\r")
            if b'"ACK"%04d' % number in reply:
                self.acknowledged = number
            await asyncio.sleep(0.02)

    async def goes_on(self) -> None:
        enough = self.acknowledged + 15
        await until("the panel is answered on", lambda: self.acknowledged >= enough)


@asynccontextmanager
async def reporting(port: int) -> AsyncIterator[Panel]:
    panel = Panel(port)
    task = asyncio.create_task(panel.report())
    try:
        yield panel
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled(), task.exception()


def document(broker: BrokerSettings, data_dir: Path, *panels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "branch_id": BRANCH,
        "data_dir": str(data_dir),
        "broker": {"host": broker.host, "port": broker.port},
        "uplink": {"flush_s": 0.05},
        "devices": [
            {"id": f"alm-{number:02d}", "kind": "alarm_panel", "connection": {"driver": "dc09", **panel}}
            for number, panel in enumerate(panels, 1)
        ],
        **more,
    }


def heard(listener: Listener) -> dict[int, set[float]]:
    """Numbers that arrived, each with the times it came with."""
    found: dict[int, set[float]] = {}
    for pack in listener.packs():
        for record in pack.records:
            if record.name == f"{BRANCH}/alm-01/panel/event":
                found.setdefault(int(str(record.value).rpartition(" ")[2]), set()).add(record.time_s)
    return found


async def test_a_changed_file_is_taken_over_and_a_broken_one_is_not_and_every_report_counts_once(
    broker: BrokerSettings, tmp_path: Path
) -> None:
    first_port, second_port = free_port(), free_port()
    first: dict[str, Any] = {"listen_port": first_port, "account": "1234"}
    second = {"listen_port": second_port, "account": "5678"}

    def file(*panels: dict[str, Any], **more: Any) -> str:
        return yaml.safe_dump(document(broker, tmp_path / "data", *panels, **more))

    async with Listener(broker) as listener:
        async with (
            gateway(tmp_path / "gateway.yaml", file(first)) as running,
            reporting(first_port) as panel,
        ):
            await panel.goes_on()

            await running.reload(file(first, second, uplink={"flush_s": 0.1}), "settings reloaded")
            await panel.goes_on()
            assert panel.connections == 1, "its settings did not change: it was read on"
            _, writer = await asyncio.open_connection("127.0.0.1", second_port)
            writer.transport.abort()

            changed = {**first, "idle_timeout_s": 200}
            await running.reload(file(changed, uplink={"flush_s": 0.1}), "settings reloaded")
            await panel.goes_on()
            assert panel.connections > 1, "its driver was replaced"

            for broken, said in (
                (f'key_ascii: "{SECRET}', "not YAML: line 1, column"),
                (file({**changed, "listen_prot": 7}), "listen_prot"),
                (file({**changed, "key_hex": SECRET}), "key_hex"),
            ):
                log = await running.reload(broken, "settings not reloaded")
                assert said in log
            other = file(changed, uplink={"flush_s": 0.1}).replace(BRANCH, "BR0007")
            assert "branch_id changed" in await running.reload(other, "settings not taken over")
            connections = panel.connections
            await panel.goes_on()
            assert panel.connections == connections, "nothing was changed"
        assert SECRET not in running.log
        figures = statistics(tmp_path / "data" / "gateway" / BRANCH / "outbox.db")
        await listener.until(lambda: set(range(1, figures.last_seq + 1)) <= set(listener.seqs()), timeout_s=WAIT_S)
    numbers = heard(listener)
    assert set(range(1, panel.acknowledged + 1)) <= numbers.keys() <= set(range(1, panel.acknowledged + 2))
    assert {len(times) for times in numbers.values()} == {1}
    readings = [
        (record.name, record.time_s)
        for pack in {p.seq: p for p in listener.packs()}.values()
        for record in pack.records
    ]
    assert len(readings) == len(set(readings)) == figures.produced
    assert (figures.starts, figures.pending_readings) == (1, 0)
