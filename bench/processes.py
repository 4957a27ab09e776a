"""The processes that a benchmark starts, and what the kernel says of them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from collector.settings import CollectorSettings
from collector.stores import upgrade_store
from runtime.broker import EmbeddedBroker
from runtime.process import die_with_parent
from simulators.ports import free_ports
from tests.influxdb import InfluxServer, WriteRoute
from tests.mosquitto import mosquitto_process

ANSWER_S: Final = 300.0
"""Longest wait for a process that was asked something."""

MOST_QUEUED: Final = 1_000_000
"""Messages that mosquitto keeps for a session: so many that an overload does not overflow it."""


class Process:
    """A Python module of ours that speaks lines."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self) -> str:
        """The next line it says.

        Raises:
            RuntimeError: it ended instead.
            TimeoutError: it said nothing for :data:`ANSWER_S`.
        """
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with {await self._process.wait()}; its errors are above")
        return line.decode()

    async def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order and wait until it is carried out."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self.line())
        return answer

    async def stop(self) -> None:
        """End it in order.

        Raises:
            RuntimeError: it failed.
        """
        self._process.terminate()
        async with asyncio.timeout(ANSWER_S):
            code = await self._process.wait()
        if code:
            raise RuntimeError(f"{self._name} ended with {code}; its errors are above")


@asynccontextmanager
async def module(name: str, *arguments: str) -> AsyncIterator[Process]:
    """Start ``python -m name``, and kill it if it still runs at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", name, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        yield Process(name, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def broker(kind: str, directory: Path, port: int) -> AsyncIterator[int]:
    """Run the embedded broker (``nats``) or Debian's ``mosquitto``; gives its process id."""
    if kind == "nats":
        server = EmbeddedBroker(directory, port=port)
        await server.start()
        try:
            assert server.pid is not None
            yield server.pid
        finally:
            await server.stop()
    else:
        async with mosquitto_process(directory, port, most_queued=MOST_QUEUED) as pid:
            yield pid


@asynccontextmanager
async def store_server(kind: str, directory: Path) -> AsyncIterator[dict[str, Any]]:
    """Run what a store needs besides the collector; gives the section ``collector`` of the settings.

    That is nothing for ``duckdb``, Debian's InfluxDB with a proxy for the v2 write route for ``influxdb``.
    """
    if kind == "duckdb":
        yield {}
        return
    server = InfluxServer(directory, *free_ports(2))
    await asyncio.to_thread(server.start)
    try:
        async with WriteRoute(server.url).listening() as route:
            settings = {"store": kind, "influxdb": {"url": route.url}}
            await upgrade_store(CollectorSettings.model_validate(settings), insist=True)
            yield settings
    finally:
        await asyncio.to_thread(server.stop)


def cpu_s(pid: int) -> float:
    """Processor time of all threads of a process, user and system, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Memory of a process now, MiB."""
    return _status_mb(pid, "VmRSS")


def peak_rss_mb(pid: int) -> float:
    """Most memory that a process ever had, MiB."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, key: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"/proc/{pid}/status has no {key}; this needs Linux")
