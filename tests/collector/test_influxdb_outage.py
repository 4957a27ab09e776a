"""The server when InfluxDB is away: intake waits and says so, nothing is dropped, and it goes on by itself.

``STORE_OUTAGE_S`` is the length of the outage in seconds, 10 where it is not set.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from branchwatch.child import Child
from branchwatch.deployment import Api
from collector.settings import CollectorSettings
from collector.stores import make_store
from runtime.broker import EmbeddedBroker
from runtime.clock import SystemClock
from runtime.database import Database, sqlite_url
from runtime.settings import BrokerSettings
from tests.collector.tireless_gateways import TirelessGateways
from tests.conftest import free_port
from tests.influxdb import InfluxServer, WriteRoute, started
from tests.loss.branch import until

OUTAGE_S: Final = float(os.environ.get("STORE_OUTAGE_S", "10"))
RATE: Final = 2_500.0
BRANCHES: Final = 40

GROWTH_MB: Final = 150.0
"""Bound of what collector and broker grow by in an outage of whatever length: inboxes and windows, not the backlog."""

_LATER_MS: Final = 2**53

pytestmark = pytest.mark.timeout(240 + 2 * OUTAGE_S)


@dataclass
class Site:
    """A server of Branchwatch on a broker and an InfluxDB that are on their own."""

    api: Api
    server: Child
    broker: EmbeddedBroker
    influxdb: InfluxServer
    collector: CollectorSettings
    data_dir: Path

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession(self.api.url) as session, session.get(path) as response:
            return response.status, await response.text()

    async def waits(self) -> bool:
        """Whether the metric says that the intake waits."""
        _, text = await self.get("/metrics")
        return "branchwatch_intake_waiting 1.0" in text.splitlines()

    async def is_ready(self) -> bool:
        return (await self.get("/readyz"))[0] == 200

    async def committed(self) -> int:
        items = (await self.api.get("/api/v1/gateways"))["items"]
        return sum(item["committed_packs"] for item in items)

    def rss_mb(self) -> dict[str, float]:
        assert self.broker.pid is not None
        return {"server": _rss_mb(self.server.pid), "broker": _rss_mb(self.broker.pid)}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with standing(tmp_path) as up:
        yield up


@asynccontextmanager
async def standing(directory: Path) -> AsyncIterator[Site]:
    broker = EmbeddedBroker(directory / "broker", port=free_port(), ack_wait_s=5)
    influxdb = InfluxServer(directory / "influxdb", free_port(), free_port())
    console_port = free_port()
    await broker.start()
    await started(influxdb)
    try:
        async with WriteRoute(influxdb.url).listening() as route:
            collector: dict[str, Any] = {
                "store": "influxdb",
                "influxdb": {"url": route.url, "timeout_s": 2, "tries": 2},
                "hole_grace_s": 60,
            }
            document = {
                "data_dir": str(directory / "data"),
                "broker": {"embedded": False, "port": broker.port},
                "console": {"port": console_port},
                "collector": collector,
            }
            settings = directory / "server.yaml"
            settings.write_text(yaml.safe_dump(document))
            server = Child("server", ["server", "--settings", str(settings)], directory / "server.log")
            await server.start()
            api = Api(f"http://127.0.0.1:{console_port}")
            try:
                await api.wait_ready(server, 60)
                made = CollectorSettings(**collector)
                yield Site(api, server, broker, influxdb, made, directory / "data")
            finally:
                assert await server.end() == 0
    finally:
        influxdb.kill()
        await broker.stop()


async def test_while_influxdb_is_away_the_intake_waits_and_says_so_and_loses_nothing(site: Site) -> None:
    gateways = TirelessGateways(BrokerSettings(port=site.broker.port), BRANCHES, RATE)
    async with gateways.connected(), gateways.publishing():
        await until("packs are stored", lambda: _at_least(site, 2 * BRANCHES))
        before_mb = site.rss_mb()
        site.influxdb.kill()
        await until("the metric says that it waits", site.waits)
        status, text = await site.get("/readyz")
        assert status == 503
        assert "store" in text
        stored = await site.committed()
        await asyncio.sleep(OUTAGE_S)  # the outage itself
        assert not await site.is_ready()
        assert await site.waits()
        assert await site.committed() == stored, "something was acknowledged that nobody stored"
        sent = gateways.packs
        grown_mb = {name: rss - before_mb[name] for name, rss in site.rss_mb().items()}
        await started(site.influxdb)
        began = asyncio.get_running_loop().time()
        await until("what waited is stored", lambda: _at_least(site, sent), 60 + OUTAGE_S)
        caught_up_s = asyncio.get_running_loop().time() - began
    await until("all is stored", lambda: _at_least(site, gateways.packs), 60 + OUTAGE_S)
    await until("it is ready", site.is_ready)  # after a long outage it takes the broker's backlog over a new connection
    assert not await site.waits()
    assert gateways.resent == 0, "a pack was lost on its way and had to be asked for again"
    assert await site.server.end() == 0
    await compare(site, gateways)
    print(
        f"away {OUTAGE_S:g} s: {sent - stored} packs waited, stored {caught_up_s:.1f} s after its return;"
        f" RSS before {before_mb} MB, grown by {grown_mb} MB; {gateways.readings} readings said, 0 lost, 0 doubled"
    )
    assert all(grown < GROWTH_MB for grown in grown_mb.values())


async def _at_least(site: Site, packs: int) -> bool:
    return await site.committed() >= packs


async def compare(site: Site, gateways: TirelessGateways) -> None:
    """Every reading that was said is stored once."""
    database = Database(sqlite_url(site.data_dir / "ops.db"))
    store = make_store(site.collector, site.data_dir, database, SystemClock())
    try:
        await store.open()
        audit = await store.audit()
        assert (audit.stored, audit.doubled) == (gateways.readings, 0)
        numbers = {(row.device_id, row.path): row.series for row in await store.load_series()}
        for gateway in gateways.gateways:
            for path, said in gateway.numbers.items():
                found = await store.range(numbers[gateway.device_id, path], 0, _LATER_MS, len(said) + 1)
                pairs = list(zip(found.observed_at_ms.tolist(), found.value.tolist(), strict=True))
                assert pairs == sorted(said), f"{gateway.device_id} {path}"
    finally:
        await store.close()
        await database.close()


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
