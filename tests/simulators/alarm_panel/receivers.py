"""Receivers a panel talks to in tests: a foreign one, and one that answers by script."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from pysiaalarm.account import SIAAccount
from pysiaalarm.aio.client import SIAClient
from pysiaalarm.utils.enums import CommunicationsProtocol

from simulators.alarm_panel import AlarmPanelSimulator
from simulators.alarm_panel.frames import frame
from simulators.alarm_panel.quirks import Transport

ACCOUNT = "1234"
_MESSAGE = re.compile(rb'\n....0...("(?P<token>[A-Z-]+)"(?P<seq>\d{4})R1L0#(?P<account>\w+)\[(?P<data>[^\]]*)\].*)\r')


async def eventually(condition: Callable[[], bool], within_s: float = 10) -> None:
    """Wait until a condition holds; the time-out fails the test."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def tasks_end() -> AsyncIterator[None]:
    """Wait until the tasks that a server began inside have ended."""
    before = asyncio.all_tasks()
    yield
    await eventually(lambda: all(task.done() for task in asyncio.all_tasks() - before))


@contextlib.asynccontextmanager
async def running(panel: AlarmPanelSimulator) -> AsyncIterator[AlarmPanelSimulator]:
    """A panel that lives."""
    await panel.start()
    life = asyncio.create_task(panel.run())
    try:
        yield panel
    finally:
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life
        await panel.stop()


@contextlib.asynccontextmanager
async def pysiaalarm_receiver(
    port: int, key: str | None = None, transport: Transport = "tcp"
) -> AsyncIterator[list[Any]]:
    """A receiver of another maker, with the events it decoded."""
    seen: list[Any] = []

    async def take(event: Any) -> None:
        seen.append(event)

    logging.getLogger("pysiaalarm").setLevel(logging.CRITICAL)
    client = SIAClient(  # type: ignore[abstract]  # it makes an instance of a subclass, by protocol
        "127.0.0.1",
        port,
        accounts=[SIAAccount(ACCOUNT, key)],
        function=take,
        protocol=CommunicationsProtocol(transport.upper()),
    )
    if transport == "udp":
        # It asserts a base class that asyncio's own transports do not have, and would never reply.
        server: Any = client.sia_server
        server.connection_made = lambda made: setattr(server, "transport", made)
    async with tasks_end():
        await client.async_start()
        try:
            yield seen
        finally:
            await client.async_stop()


@dataclass(frozen=True)
class Taken:
    """A message as it came, with its fields."""

    raw: bytes
    token: str
    sequence: int
    data: str


Answer = Callable[[Taken], bytes]


def acknowledge(taken: Taken) -> bytes:
    return frame(f'"ACK"{taken.sequence:04d}R1L0#{ACCOUNT}[]')


@dataclass
class ScriptedReceiver:
    """Answers each message by a function, which may say nothing."""

    port: int
    answer: Answer = acknowledge
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await eventually(lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while raw := await reader.readuntil(b"\r"):
                found = _MESSAGE.fullmatch(raw)
                assert found is not None, f"not a message of the panel: {raw!r}"
                taken = Taken(raw, found["token"].decode(), int(found["seq"]), found["data"].decode())
                self.taken.append(taken)
                writer.write(self.answer(taken))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def events(self) -> list[Taken]:
        return [taken for taken in self.taken if taken.token == "ADM-CID"]


@contextlib.asynccontextmanager
async def scripted_receiver(port: int, answer: Answer = acknowledge) -> AsyncIterator[ScriptedReceiver]:
    receiver = ScriptedReceiver(port, answer)
    async with tasks_end():
        await receiver.start()
        try:
            yield receiver
        finally:
            await receiver.stop()
