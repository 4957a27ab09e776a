"""A whole server for the console's tests: real broker, store, collector, rules, maintenance and console."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from collector.app import Collector
from collector.settings import CollectorSettings
from console.api.operation import ReadinessCheck
from console.app import Console, Watched
from console.settings import ConsoleSettings
from contracts.gateway_messages import DeviceEntry, GatewayStatus, Inventory
from contracts.identity import device_id
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.reading import Reading
from contracts.topics import Channel, topic
from maintenance.app import Maintenance, MaintenanceSettings
from rules.app import Rules
from rules.overrides import Override, WorkOrderOverride
from rules.settings import RulesSettings
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.event_log import EventLog
from runtime.metrics import new_registry
from runtime.mqtt import MqttClient
from runtime.settings import BrokerSettings
from runtime.supervisor import Supervisor

BRANCH = "BR0001"
ATM = f"{BRANCH}/atm-01"

AT_ONCE: Mapping[str, Override] = {
    "atm.cdm.jam": Override(on_delay_s=0, off_delay_s=0, work_order=WorkOrderOverride(wait_s=0)),
}
"""Overrides of the default rules, so that a test need not wait for their delays."""


class Branch:
    """A gateway reduced to what it says on the wire."""

    def __init__(self, client: MqttClient, branch_id: str) -> None:
        self.branch_id = branch_id
        self._client = client
        self._boot = f"boot-of-{branch_id}"
        self._seq = 0
        self._clock = SystemClock()

    async def announce(self, *devices: DeviceEntry, online: bool = True) -> None:
        """Publish status and inventory; the gateway itself is added."""
        gateway = DeviceEntry(id="gateway", kind="gateway", driver="gateway")
        inventory = Inventory(branch_id=self.branch_id, devices=(*devices, gateway))
        await self._publish(Channel.INVENTORY, inventory.model_dump_json().encode())
        await self.say_online(online=online)

    async def say_online(self, *, online: bool) -> None:
        """Publish the status."""
        status = GatewayStatus(online=online, boot=self._boot, since=self._clock.now_ms(), version="0.1.0")
        await self._publish(Channel.STATUS, status.model_dump_json().encode())

    async def report(self, local_id: str, age_ms: int = 0, /, **signals: float | str) -> None:
        """Publish a pack; ``cdm__shutter`` stands for ``cdm/shutter``."""
        at_ms = self._clock.now_ms() - age_ms
        full_id = device_id(self.branch_id, local_id)
        readings = [Reading(full_id, path.replace("__", "/"), value, at_ms) for path, value in signals.items()]
        self._seq += 1
        header = Header(PackId(self.branch_id, self._boot, self._seq), self._clock.now_ms())
        await self._publish(Channel.TELEMETRY, encode_pack(header, [encode_readings(readings)]))

    async def send_raw(self, payload: bytes) -> None:
        """Publish anything as telemetry."""
        await self._publish(Channel.TELEMETRY, payload)

    async def _publish(self, channel: Channel, payload: bytes) -> None:
        async with asyncio.timeout(5):
            await self._client.publish(topic(self.branch_id, channel), payload)


class House:
    """The running server and a client of its API."""

    def __init__(
        self,
        console: Console,
        collector: Collector,
        watched: Watched,
        http: aiohttp.ClientSession,
        client: MqttClient,
        event_log: EventLog,
    ) -> None:
        self.console = console
        self.collector = collector
        self.watched = watched
        self.http = http
        self.event_log = event_log
        self._client = client

    def branch(self, branch_id: str = BRANCH) -> Branch:
        """A gateway of that branch."""
        return Branch(self._client, branch_id)

    async def get(self, path: str, status: int = 200) -> Any:
        """GET under ``/api/v1/``; the path is taken as it is, percent signs included."""
        url = URL(f"{self.console.url}/api/v1/{path}", encoded=True)
        async with self.http.get(url) as response:
            body = await response.json(content_type=None)
            assert response.status == status, body
            return body

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        """POST under ``/api/v1/``."""
        async with self.http.post(f"{self.console.url}/api/v1/{path}", json=body) as response:
            answer = await response.json(content_type=None)
            assert response.status == status, answer
            return answer

    async def wait_for(self, path: str, wanted: Any) -> Any:
        """GET again and again until ``wanted(answer)`` is true; at most 10 s."""
        async with asyncio.timeout(10):
            while True:
                answer = await self.get(path)
                if wanted(answer):
                    return answer
                await asyncio.sleep(0.05)

    async def jammed_atm(self) -> Any:
        """Announce one ATM, jam it and wait for the fault."""
        branch = self.branch()
        await branch.announce(atm())
        await branch.report("atm-01", link__state="up", cdm__device="online", cdm__transport="inoperative")
        found = await self.wait_for("faults?rule_id=atm.cdm.jam", lambda page: page["items"])
        return found["items"][0]


def atm(local_id: str = "atm-01", name: str = "Lobby left") -> DeviceEntry:
    """An ATM in an inventory."""
    return DeviceEntry(
        id=local_id, kind="atm", driver="xfs", name=name, maker="Acme", model="C-4040", serial="S-1", firmware="9.1"
    )


@asynccontextmanager
async def open_house(
    broker: BrokerSettings,
    database: Database,
    event_log: EventLog,
    data_dir: Path,
    readiness: Mapping[str, ReadinessCheck] | None = None,
) -> AsyncIterator[House]:
    """Start a server, give its client, stop it."""
    clock, registry = SystemClock(), new_registry()
    rules = Rules(RulesSettings(overrides=dict(AT_ONCE)), database, event_log, clock, registry)
    maintenance = Maintenance(MaintenanceSettings(tick_s=0.1), database, event_log, clock)
    collector = Collector(CollectorSettings(), broker, database, event_log, clock, registry, data_dir, rules)
    watched = Watched(
        fleet=collector.fleet,
        readings=collector.readings,
        missing=collector.missing,
        quarantine=collector.quarantine,
        intake_status=collector,
        faults=rules.faults,
        work_orders=maintenance.work_orders,
    )
    console = Console(
        ConsoleSettings(port=0, max_listeners=2, keep_alive_s=0.5),
        watched,
        event_log,
        clock,
        registry,
        readiness or {"collector": collector.check_ready},
    )
    supervisor = Supervisor()
    for service in (*maintenance.services(), rules, *collector.services(), console):
        supervisor.add(service)
    client = MqttClient(broker, "branchwatch-test-gateways")
    started = asyncio.Event()
    running = asyncio.create_task(supervisor.run(started.set))
    waiting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        if running.done():
            await running
        client.start()
        await client.wait_connected(10)
        async with aiohttp.ClientSession() as http:
            yield House(console, collector, watched, http, client, event_log)
    finally:
        waiting.cancel()
        await client.stop()
        supervisor.request_stop()
        async with asyncio.timeout(20):
            await running
