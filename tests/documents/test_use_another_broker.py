"""The operators' page about other brokers: its settings load, and brokers configured as it says serve a collector."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml

from branchwatch.server import ServerSettings
from collector.settings import CollectorSettings
from contracts.topics import Channel, topic
from runtime.broker import nats_server
from runtime.clock import SystemClock
from runtime.database import Database, metadata, sqlite_url
from runtime.settings import BrokerSettings
from tests.collector.parts import BRANCH, make_collector, pack
from tests.collector.test_intake import committed, gateway, running
from tests.conftest import free_port
from tests.documents.page import BLOCK

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [
    (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
    for name in ("use-another-broker.md", "use-another-broker.zh.md")
]


def block(page: str, language: str) -> str:
    (found,) = [body for named, body in BLOCK.findall(page) if named == language]
    return str(found)


def nats(configuration: str, port: int, directory: Path) -> list[str]:
    file = directory / "nats.conf"
    text = configuration.replace("port: 1883", f'host: "127.0.0.1", port: {port}')
    file.write_text(f'server_name: other\nlisten: "127.0.0.1:-1"\njetstream {{ store_dir: "{directory}" }}\n{text}')
    return [str(nats_server()), "-c", str(file)]


def mosquitto(configuration: str, port: int, directory: Path) -> list[str]:
    file = directory / "mosquitto.conf"
    file.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence_location {directory}/\n{configuration}"
    )
    return ["/usr/sbin/mosquitto", "-c", str(file)]


@pytest.mark.parametrize("page", PAGES)
def test_the_settings_load_and_name_an_outside_broker(page: str) -> None:
    settings = ServerSettings(**yaml.safe_load(block(page, "yaml")))
    assert (settings.broker.embedded, settings.broker.port) == (False, 8883)


def test_both_languages_say_the_same_to_the_machine() -> None:
    english, chinese = (BLOCK.findall(page) for page in PAGES)
    assert english == chinese


@pytest.mark.parametrize(("language", "command"), [("conf", nats), ("ini", mosquitto)])
async def test_a_broker_configured_like_this_serves_more_than_its_defaults_would(
    language: str, command: Callable[[str, int, Path], list[str]], tmp_path: Path
) -> None:
    """Packs that come while the collector is down are more than either broker keeps or sends by default."""
    packs, port = 3 * CollectorSettings().batch_messages, free_port()
    server = await asyncio.create_subprocess_exec(
        *command(block(PAGES[0], language), port, tmp_path), stderr=asyncio.subprocess.DEVNULL
    )
    database = Database(sqlite_url(tmp_path / "ops.db"))
    try:
        async with database.write() as connection:
            await connection.run_sync(metadata.create_all)
        broker = BrokerSettings(port=port)
        async with gateway(broker) as client:
            async with running(make_collector(tmp_path, database, SystemClock(), broker=broker)):
                pass  # its sessions are there from now on
            name = topic(BRANCH, Channel.TELEMETRY)
            sent = [client.publish(name, pack(seq, [])) for seq in range(1, packs + 1)]
            await asyncio.wait_for(asyncio.gather(*sent), 30)
            collector = make_collector(tmp_path, database, SystemClock(), broker=broker)
            async with running(collector), asyncio.timeout(30):
                while committed(collector) != {BRANCH: packs}:
                    await asyncio.sleep(0.02)
    finally:
        await database.close()
        server.terminate()
        await asyncio.wait_for(server.wait(), 20)
