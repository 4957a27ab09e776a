"""The embedded broker as a process: it comes back, keeps what it was given, and does not outlive its owner."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from runtime.broker import EmbeddedBroker
from runtime.mqtt import MqttClient
from runtime.settings import BrokerSettings
from tests.conftest import free_port


async def test_a_killed_broker_comes_back_with_what_it_had(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, port=free_port())
    await broker.start()
    settings = BrokerSettings(port=broker.port)
    listener = MqttClient(settings, "listener", clean_session=False, subscriptions=["t"])
    listener.start()
    await listener.wait_connected(10)
    await listener.stop()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(broker.run())
        sender = MqttClient(settings, "sender")
        sender.start()
        await sender.wait_connected(10)
        await sender.publish("t", b"kept")
        killed = broker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        while broker.pid in {killed, None}:
            await asyncio.sleep(0.05)
        listener = MqttClient(settings, "listener", clean_session=False, subscriptions=["t"])
        listener.start()
        messages = await listener.receive(10)
        assert [message.payload for message in messages] == [b"kept"]
        await listener.stop()
        await sender.stop()
        running.cancel()
    await broker.stop()


async def test_a_port_that_is_taken_is_said_with_what_to_do(tmp_path: Path) -> None:
    first = EmbeddedBroker(tmp_path / "first", port=free_port())
    await first.start()
    second = EmbeddedBroker(tmp_path / "second", port=first.port)
    with pytest.raises(ConfigurationError, match="Address already in use; end whoever listens"):
        await second.start()
    await second.stop()
    await first.stop()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # a zombie only waits to be collected


OWNER = """
import asyncio, sys
from pathlib import Path
from runtime.broker import EmbeddedBroker

async def main():
    broker = EmbeddedBroker(Path(sys.argv[1]), port=int(sys.argv[2]))
    await broker.start()
    print(broker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_broker_ends_with_a_killed_owner(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), str(free_port()), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    broker_pid = int(await asyncio.wait_for(owner.stdout.readline(), 30))
    owner.kill()
    await owner.wait()
    async with asyncio.timeout(10):
        while is_alive(broker_pid):
            await asyncio.sleep(0.05)
