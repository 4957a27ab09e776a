"""Agents that are not ours: snmpsim with recorded answers, Debian's snmpd, and one that answers what a test puts down."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from contracts.devices import SELF_SERVICE_TERMINAL
from contracts.errors import DeviceError
from contracts.signals import DeviceKind
from gateway.driver import Driver
from gateway.drivers.snmp import Settings, create
from runtime.clock import SystemClock
from simulators.terminal import ber
from tests.gateway.sia_dc09.recording_sink import RecordingSink

WAIT_S: Final = 40
SYSTEM_DESCRIPTION: Final = ber.tlv(ber.SEQUENCE, ber.object_id((1, 3, 6, 1, 2, 1, 1, 1, 0)) + ber.tlv(0x05, b""))
RECORDED: Final = Path(__file__).parent / "recorded"


def free_udp_port() -> int:
    """A loopback UDP port nobody listens on."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_agent(port: int, community: str, ended: Callable[[], object]) -> None:
    """Wait until an agent that is starting answers, so that no test has to be patient with it."""
    question = ber.tlv(
        ber.SEQUENCE,
        ber.integer(1)
        + ber.octets(community.encode())
        + ber.tlv(0xA0, ber.integer(7) + 2 * ber.integer(0) + ber.tlv(ber.SEQUENCE, SYSTEM_DESCRIPTION)),
    )
    end_s = time.monotonic() + WAIT_S
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        while time.monotonic() < end_s and ended() is None:
            probe.sendto(question, ("127.0.0.1", port))
            with suppress(TimeoutError, ConnectionError):
                probe.recvfrom(65536)
                return
    raise AssertionError(f"agent on UDP port {port} did not answer within {WAIT_S} s, or it ended: {ended()}")


@asynccontextmanager
async def _running(*command: str, environment: Mapping[str, str] = {}, log: Path) -> AsyncIterator[None]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL, env={**os.environ, **environment}
        )
    try:
        yield
        assert process.returncode is None, log.read_text()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def snmpsim_command(data: Path, cache: Path, port: int) -> list[str]:
    """What starts snmpsim; the community of a recording is its file's name."""
    root = ("--process-user=root", "--process-group=root") if os.geteuid() == 0 else ()
    return [
        str(Path(sys.executable).parent / "snmpsim-command-responder"),
        f"--data-dir={data}",
        f"--cache-dir={cache}",
        f"--agent-udpv4-endpoint=127.0.0.1:{port}",
        *root,
    ]


@asynccontextmanager
async def snmpsim(directory: Path, port: int) -> AsyncIterator[None]:
    """Run snmpsim with all recordings, for a test that stops it."""
    directory.mkdir()
    async with _running(*snmpsim_command(RECORDED, directory / "cache", port), log=directory / "log"):
        yield


@asynccontextmanager
async def snmpd(directory: Path, *, port: int | None = None) -> AsyncIterator[int]:
    """Run Debian's snmpd for community ``public`` and for user ``watch`` of version 3. Its port."""
    chosen = port or free_udp_port()
    directory.mkdir(exist_ok=True)
    (directory / "snmpd.conf").write_text(
        f"agentAddress udp:127.0.0.1:{chosen}\n"
        "rocommunity public 127.0.0.1\n"
        "rouser watch priv\n"
        "createUser watch SHA sign-me-please AES hide-me-please\n"
    )
    async with _running(
        "/usr/sbin/snmpd", "-f", "-Lo", "-C", "-c", str(directory / "snmpd.conf"),
        environment={"SNMP_PERSISTENT_DIR": str(directory / "state"), "MIBS": ""},
        log=directory / "snmpd.log",
    ):  # fmt: skip
        yield chosen


def driver_of(kind: DeviceKind = SELF_SERVICE_TERMINAL, **settings: object) -> Driver:
    """A driver that polls often."""
    quick = {"poll_s": 0.1, "tables_s": 0.1, "timeout_s": 2, "retries": 1, **settings}
    return create(Settings.model_validate(quick), kind, SystemClock())


@asynccontextmanager
async def polling(driver: Driver, sink: RecordingSink) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a driver."""
    task = asyncio.create_task(driver.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, DeviceError):
            await task


async def until(true: Callable[[], bool], task: "asyncio.Task[None] | None" = None) -> None:
    """Wait for something to become true; a driver that ends meanwhile fails the test with its reason."""
    async with asyncio.timeout(WAIT_S):
        while not true():
            if task is not None and task.done():
                task.result()
                raise AssertionError("the driver ended")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def first_poll(driver: Driver, sink: RecordingSink) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a driver, again and again while its agent is still starting, until it says how the link is."""
    async with asyncio.timeout(WAIT_S):
        while True:
            async with polling(driver, sink) as task:
                while not task.done() and sink.last("link/state") not in {"up", "degraded"}:
                    await asyncio.sleep(0.02)
                if not task.done():
                    yield task
                    return
            sink.taken.clear()
            sink.refused.clear()
            await asyncio.sleep(0.1)


@contextmanager
def scripted(answer: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """An agent in this process that sends back whatever ``answer`` makes of a datagram; several, or none. Its port."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.setblocking(False)

        def on_datagram() -> None:
            with suppress(BlockingIOError):
                while True:
                    question, address = agent.recvfrom(65536)
                    for reply in answer(question):
                        with suppress(OSError):
                            agent.sendto(reply, address)

        loop.add_reader(agent, on_datagram)
        try:
            yield int(agent.getsockname()[1])
        finally:
            loop.remove_reader(agent)


__all__ = [
    "RECORDED",
    "WAIT_S",
    "driver_of",
    "first_poll",
    "free_udp_port",
    "polling",
    "scripted",
    "snmpd",
    "snmpsim",
    "snmpsim_command",
    "until",
    "wait_for_agent",
]
