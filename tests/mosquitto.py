"""Debian's mosquitto and its publisher: a broker and a sender that are not ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.settings import BrokerSettings

_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
max_inflight_messages 1000
max_queued_messages 100000
user root
"""


@asynccontextmanager
async def mosquitto_server(directory: Path, port: int) -> AsyncIterator[BrokerSettings]:
    """Run the broker in a directory of its own, with its persistence on."""
    directory.mkdir()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(_CONFIGURATION.format(port=port, directory=directory))
    server = await asyncio.create_subprocess_exec(
        "/usr/sbin/mosquitto", "-c", str(configuration), stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                break
    yield BrokerSettings(port=port)
    server.terminate()
    async with asyncio.timeout(10):
        await server.wait()


async def mosquitto_pub(broker: BrokerSettings, topic: str, payload: bytes) -> None:
    """Publish with QoS 1, as a person at a terminal would."""
    sender = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", topic, "-s",
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(10):
        await sender.communicate(payload)
    assert sender.returncode == 0
