"""Debian's mosquitto and its publisher: a broker and a sender that are not ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from runtime.process import die_with_parent
from runtime.settings import BrokerSettings

_WAIT_S: Final = 60.0

_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
max_inflight_messages 2000
max_queued_messages {most_queued}
user root
"""


@asynccontextmanager
async def mosquitto_process(directory: Path, port: int, *, most_queued: int = 100_000) -> AsyncIterator[int]:
    """Run the broker in a directory of its own, with its persistence on, and give its process id.

    Args:
        directory: made here.
        port: loopback port.
        most_queued: messages it keeps for a session at most; it drops what comes beyond.
    """
    directory.mkdir(parents=True)
    configuration = directory / "mosquitto.conf"
    configuration.write_text(_CONFIGURATION.format(port=port, directory=directory, most_queued=most_queued))
    process = await asyncio.create_subprocess_exec(
        "/usr/sbin/mosquitto", "-c", str(configuration), stderr=asyncio.subprocess.DEVNULL, preexec_fn=die_with_parent
    )
    try:
        async with asyncio.timeout(_WAIT_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    await writer.wait_closed()
                    break
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(_WAIT_S):
            await process.wait()


@asynccontextmanager
async def mosquitto_server(directory: Path, port: int) -> AsyncIterator[BrokerSettings]:
    """The broker for a client of ours."""
    async with mosquitto_process(directory, port):
        yield BrokerSettings(port=port)


async def mosquitto_pub(broker: BrokerSettings, topic: str, payload: bytes) -> None:
    """Publish with QoS 1, as a person at a terminal would."""
    sender = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", topic, "-s",
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(10):
        await sender.communicate(payload)
    assert sender.returncode == 0
