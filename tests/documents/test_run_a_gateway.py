"""The operators' page about gateways: its settings load, its commands exist and do what it says, its figures are measured."""

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from branchwatch.command_line import commands
from contracts.devices import KINDS
from contracts.gateway_messages import parse_inventory
from contracts.reading import Reading
from contracts.signals import Signal
from contracts.topics import Channel
from gateway.changes import LIVE
from gateway.connection import HELD_LIMIT
from gateway.outbox import statistics
from gateway.settings import GatewaySettings, OutboxSettings
from runtime.settings import BrokerSettings
from simulators.footfall import FootfallSimulator
from simulators.world import World
from tests.documents.page import BLOCK
from tests.gateway.core.wire import BRANCH, NOW_MS, Listener, new_outbox

ROOT: Final = Path(__file__).parents[2]
ENGLISH, CHINESE = (
    (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
    for name in ("run-a-gateway.md", "run-a-gateway.zh.md")
)


def blocks(page: str, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(page) if found == language]


COMMANDS: Final = [line for block in blocks(ENGLISH, "sh") for line in block.splitlines()]
OURS: Final = [line for line in COMMANDS if line.startswith(".venv/bin/branchwatch ")]


def the(beginning: str) -> str:
    """The command of the page that begins like this."""
    return next(line for line in COMMANDS if line.startswith(beginning))


# -- what it says ------------------------------------------------------------------------------------------------------


def test_both_languages_show_the_same_settings_and_commands() -> None:
    assert BLOCK.findall(ENGLISH) == BLOCK.findall(CHINESE)
    assert len(re.findall("^#", ENGLISH, re.MULTILINE)) == len(re.findall("^#", CHINESE, re.MULTILINE))
    assert ENGLISH.count("\n| ") == CHINESE.count("\n| ")


def test_the_settings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_01_PASSWORD", "hunter2")
    (text,) = blocks(ENGLISH, "yaml")
    settings = GatewaySettings.model_validate(yaml.safe_load(text))
    assert "password=SecretStr('**********')" in repr(settings)
    assert {device.driver for device in settings.devices} == {"xfs", "xfs+snmp", "onvif", "dc09", "axis"}


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_the_page_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = commands
    context: click.Context | None = None
    while isinstance(command, click.Group):
        context = command.make_context(command.name, list(words), parent=context)
        _, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
    assert command.make_context(command.name, list(words), parent=context).params


def test_the_numbers_of_the_page_are_the_codes() -> None:
    for page in (ENGLISH, CHINESE):
        assert f"{HELD_LIMIT:,}" in page
        assert f"{OutboxSettings().retention_h:g} " in page
        assert f"{OutboxSettings().max_bytes / 1e9:g} GB" in page
        listed = page.partition("`devices`、\n" if page is CHINESE else "in order. ")[2][:200]
        assert {key for key in LIVE if f"`{key}`" not in listed} <= {"devices"}


def reading_of(row: Signal, number: int, at_ms: int) -> Reading:
    """A reading of a signal as ATMs report it."""
    path = re.sub(r"\{\w+\}", "1", row.path)
    value = row.states[number % len(row.states)].word if row.states else 1812.5 + number
    return Reading(f"{BRANCH}/atm-01", path, value, at_ms, row.unit, row.heartbeat_s)


@pytest.mark.parametrize("together", [1, 20])
async def test_a_reading_takes_as_many_bytes_on_disk_as_the_page_says(tmp_path: Path, together: int) -> None:
    low, high = (int(number) for number in re.findall(r"takes (\d+) bytes.*?up to (\d+) ", ENGLISH, re.DOTALL)[0])
    outbox = new_outbox(tmp_path / "outbox.db")
    await outbox.start()
    count, rows = 6_000, [row for row in KINDS["atm"].signals if row.heartbeat_s]
    for number in range(0, count, together):
        at_ms = NOW_MS + number * 997
        seen = [reading_of(rows[(number + part) % len(rows)], number + part, at_ms) for part in range(together)]
        await outbox.store(seen, urgent=False)
        if outbox.has_full_pack:
            await outbox.cut(everything=False)
    await outbox.stop()
    a_reading = sum(path.stat().st_size for path in tmp_path.glob("outbox.db")) / count
    expected = high if together == 1 else low
    assert 0.8 * expected < a_reading < 1.1 * expected


# -- what it says to do ------------------------------------------------------------------------------------------------


class Computer:
    """A directory in which an operator works, with the page's commands."""

    def __init__(self, place: Path, broker: BrokerSettings) -> None:
        place.mkdir()
        (place / ".venv").symlink_to(sys.prefix)
        self.place = place
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BRANCHWATCH_BROKER__PORT": str(broker.port),
            "BRANCHWATCH_OUTBOX__MAX_BYTES": "1000000",
        }

    def write_settings(self, ports: Sequence[int], **other: Any) -> None:
        devices = [
            {
                "id": f"footfall-{number:02d}",
                "kind": "footfall_sensor",
                "connection": {"driver": "axis", "host": "127.0.0.1", "port": port, "poll_s": 0.2},
            }
            for number, port in enumerate(ports, 1)
        ]
        text = yaml.safe_dump({"branch_id": BRANCH, "devices": devices, "watch_host": False, **other})
        (self.place / "gateway.yaml").write_text(text)

    async def do(self, command: str) -> tuple[int, str]:
        """Run a command to its end: its status and what it says."""
        process = await self._start(command)
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, said.decode()

    @asynccontextmanager
    async def doing(self, command: str) -> AsyncIterator["Output"]:
        """Leave a command running; ended at the end, where it has not ended by then."""
        process = await self._start(f"exec {command}")
        output = Output(process)
        try:
            yield output
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
            await output.read_to_its_end()

    async def _start(self, command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "/bin/sh", "-euc", command, cwd=self.place, env=self._environment, start_new_session=True,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip


class Output:
    """What a running command says, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, text: str) -> str:
        """The next line with a text in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while True:
                line = (await self.process.stdout.readline()).decode()
                assert line, f"ended before it said {text!r}:\n{''.join(self.lines[-30:])}"
                self.lines.append(line)
                if text in line:
                    return line

    async def read_to_its_end(self) -> int:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            self.lines.append((await self.process.stdout.read()).decode())
            return await self.process.wait()


@asynccontextmanager
async def sensor(local_id: str) -> AsyncIterator[FootfallSimulator]:
    simulator = FootfallSimulator(local_id, World(seed=1), 0)
    await simulator.start()
    task = asyncio.create_task(simulator.run())
    try:
        yield simulator
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await simulator.stop()


def announced(listener: Listener) -> list[str]:
    """Devices of the newest inventory."""
    inventories = [item.payload for item in listener.messages if item.channel is Channel.INVENTORY]
    return [device.id for device in parse_inventory(inventories[-1], BRANCH).devices] if inventories else []


def told_since(listener: Listener, device: str, begin: int) -> Callable[[], bool]:
    name = f"{BRANCH}/{device}/link/state"
    return lambda: any(name in pack.names for pack in listener.packs() if pack.seq > begin)


async def test_a_gateway_is_checked_started_changed_stopped_and_moved(tmp_path: Path, broker: BrokerSettings) -> None:
    old, new = Computer(tmp_path / "old", broker), Computer(tmp_path / "new", broker)
    async with sensor("one") as one, sensor("two") as two, Listener(broker) as listener:
        old.write_settings([one.port])
        status, said = await old.do(the(".venv/bin/branchwatch gateway check"))
        assert (status, said.count("ok 正常")) == (0, 3), said

        async with old.doing(the(".venv/bin/branchwatch gateway gateway.yaml")) as gateway:
            await listener.until(lambda: announced(listener) == ["gateway", "footfall-01"], 60)
            status, said = await old.do(the(".venv/bin/branchwatch gateway gateway.yaml"))
            assert status == 2
            assert f"process {gateway.process.pid} has it open" in said

            old.write_settings([one.port, two.port])
            assert await old.do(the("kill -HUP")) == (0, "")
            await gateway.until("settings reloaded")
            await listener.until(lambda: announced(listener) == ["gateway", "footfall-01", "footfall-02"], 60)
            await listener.until(told_since(listener, "footfall-02", 0), 60)

            (old.place / "gateway.yaml").write_text("branch_id: [\n")
            assert await old.do(the("kill -HUP")) == (0, "")
            await gateway.until("settings not reloaded")
            old.write_settings([one.port, two.port], watch_host=True)
            assert await old.do(the("kill -HUP")) == (0, "")
            await gateway.until("settings not taken over")
            old.write_settings([one.port, two.port])

            assert await old.do(the('kill "$(cat')) == (0, "")
            assert await gateway.read_to_its_end() == 0
        before = statistics(old.place / "data" / "gateway" / BRANCH / "outbox.db")
        assert (before.pending_readings, before.dropped_readings) == (0, 0)

        assert (await old.do(the("tar -cf")))[0] == 0
        (old.place / "gateway-BR0421.tar").rename(new.place / "gateway-BR0421.tar")
        assert await new.do(the("tar -xf")) == (0, "")
        assert (await new.do(the(".venv/bin/branchwatch gateway check")))[0] == 0
        async with new.doing(the(".venv/bin/branchwatch gateway gateway.yaml")):
            await listener.until(told_since(listener, "footfall-02", before.last_seq), 60)
        await listener.until(lambda: set(listener.seqs()) == set(range(1, max(listener.seqs()) + 1)), 60)
        boots = {pack.header.pack_id.boot for pack in listener.packs() if pack.header}
    assert boots == {before.boot}, "the moved gateway goes on counting under the same identity"
    assert max(listener.seqs()) > before.last_seq
