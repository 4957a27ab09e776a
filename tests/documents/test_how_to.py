"""The how-tos for developers: a test does what they say, in a copy of the tree."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime.settings import BrokerSettings
from tests.conftest import free_port
from tests.documents.page import Change, Command, NewFile, steps, write

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
PORT = "4900"
LONGEST_S = 240


def copy_of_the_tree(place: Path) -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=30)
    for name in listed.stdout.split("\0"):
        source, target = ROOT / name, place / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (place / ".venv").symlink_to(sys.prefix)


class Workshop:
    """A copy of the tree in which a developer follows the pages."""

    def __init__(self, place: Path, broker: BrokerSettings) -> None:
        self.place = place
        self.port = free_port()
        self.said: list[str] = []
        self._running: list[asyncio.subprocess.Process] = []
        self._environment: Mapping[str, str] = {
            **os.environ,
            "PYTHONPATH": str(place),
            "BRANCHWATCH_BROKER__PORT": str(broker.port),
            "BRANCHWATCH_OUTBOX__MAX_BYTES": "1000000",
        }

    async def follow(self, page: str) -> None:
        text = (HOW_TO / page).read_text(encoding="utf-8").replace(PORT, str(self.port))
        for step in steps(text):
            if isinstance(step, Command):
                await self._run(step)
            else:
                write(self.place, step)

    async def _run(self, command: Command) -> None:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-euc", f"exec {command.text}" if command.leave_running else command.text,
            cwd=self.place, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        if command.leave_running:
            self._running.append(process)
            await self._listening(process)
            return
        try:
            async with asyncio.timeout(LONGEST_S):
                said, _ = await process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        self.said.append(said.decode())
        assert process.returncode == 0, f"{command.text}\n{said.decode()[-6000:]}"

    async def _listening(self, process: asyncio.subprocess.Process) -> None:
        async with asyncio.timeout(60):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return
        raise AssertionError("what the page leaves running has ended")

    async def close(self) -> None:
        for process in self._running:
            if process.returncode is None:
                process.terminate()
            await process.communicate()


@pytest.mark.timeout(600)
async def test_a_device_kind_and_a_protocol_are_added_as_the_pages_say(tmp_path: Path, broker: BrokerSettings) -> None:
    place = tmp_path / "tree"
    copy_of_the_tree(place)
    workshop = Workshop(place, broker)
    try:
        await workshop.follow("add-a-device-kind.md")
        await workshop.follow("add-a-protocol.md")
    finally:
        await workshop.close()
    checked = next(said for said in workshop.said if "queue-01 queue_line" in said)
    lines = [line for line in checked.splitlines() if line.startswith("ok 正常")]
    assert [line.split()[2] for line in lines] == ["outbox", "broker", "queue-01"]
    assert "serial QD-0042" in lines[2]


def test_a_page_that_no_longer_fits_the_code_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n")
    for before in ("three\n", "two\n", "wo\n"):
        with pytest.raises(ValueError, match=r"expected 1"):
            write(tmp_path, Change("a.py", before, "four\n"))
    with pytest.raises(ValueError, match="is not new"):
        write(tmp_path, NewFile("a.py", ""))
    write(tmp_path, Change("a.py", "one\n", "zero\none\n"))
    assert (tmp_path / "a.py").read_text() == "zero\none\ntwo\ntwo\n"


def test_steps_are_read_in_order() -> None:
    page = (
        "New file **a/b.py**:\n\n```python\nx = 1\n```\n\nIn **c.py**:\n\n```diff\n one\n+two\n```\n"
        "\n```diff\n-old\n+new\n```\n\n```text\nshown\n```\n\n<!-- leave running -->\n\n```sh\nrun\n```\n"
    )
    assert list(steps(page)) == [
        NewFile("a/b.py", "x = 1\n"),
        Change("c.py", "one\n", "one\ntwo\n"),
        Change("c.py", "old\n", "new\n"),
        Command("run\n", leave_running=True),
    ]


def test_a_block_that_nothing_is_done_with_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="nobody knows"):
        list(steps("Look:\n\n```python\nx = 1\n```\n"))
