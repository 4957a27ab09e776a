"""A whole Branchwatch on this machine: broker, server process, simulated branches, gateway process.

The demonstration and the end-to-end tests stand on it. Every part is the real one in a process of its own kind; what is
simulated is the devices, the people and the line.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from branchwatch.child import Child
from branchwatch.demo_report import Packs, Percentiles, ReadingCounts
from branchwatch.simulation import make_branches, write_gateway_settings
from collector.adapters.duckdb_store import DuckDbStore
from collector.settings import CollectorSettings
from collector.stores import STORE_DIRECTORY
from contracts.errors import DependencyUnavailable
from gateway.outbox.figures import OutboxStatistics, statistics
from runtime.broker import EmbeddedBroker
from runtime.clock import SystemClock
from simulators.ports import free_ports
from simulators.scenario import Scenario

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Completeness:
    """What gateways produced against what the store holds."""

    readings: ReadingCounts
    device_to_store: Percentiles


class Api:
    """A client of a server's API.

    Args:
        url: address of the server.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def get(self, path: str, **query: str) -> Any:
        """Answer of the API.

        Raises:
            DependencyUnavailable: the server does not answer, or not with success.
        """
        try:
            async with (
                aiohttp.ClientSession(self.url, timeout=_TIMEOUT) as session,
                session.get(path, params=query) as response,
            ):
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DependencyUnavailable(f"server at {self.url}{path}: {str(error) or type(error).__name__}") from error

    async def all_items(self, path: str, **query: str) -> list[Any]:
        """All items of a list of the API, page by page."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = await self.get(path, limit="500", **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return items

    async def wait_ready(self, server: Child, timeout_s: float = 60) -> None:
        """Wait until the server answers that it is ready.

        Args:
            server: its process, whose log explains why it is not.
            timeout_s: longest wait.

        Raises:
            DependencyUnavailable: not in time; the message quotes the end of its log.
        """

        async def ready() -> bool:
            return bool((await self.get("/readyz"))["ready"])

        await wait_until("the server is ready", ready, timeout_s, server)


class Deployment:
    """Everything but the people.

    Args:
        directory: data and logs of all parts.
        count: how many branches.
        scenario: pace of the day and the settings that fit it.
        console_port: port of the page and the API.
        seed: same seed, same luck.
        server_settings: more settings of the server.

    Attributes:
        broker: the embedded broker.
        server: the server process.
        gateways: the process with all gateways.
        branches: simulated branches.
        api: client of the server's API.
    """

    def __init__(
        self,
        directory: Path,
        count: int,
        scenario: Scenario,
        *,
        console_port: int,
        seed: int = 1,
        server_settings: Mapping[str, Any] | None = None,
    ) -> None:
        (broker_port,) = free_ports(1)
        self._directory = directory
        self._server_dir, self._gateway_dir = directory / "server", directory / "gateways"
        directory.mkdir(parents=True, exist_ok=True)
        self.api = Api(f"http://127.0.0.1:{console_port}")
        self.broker = EmbeddedBroker(directory / "broker", port=broker_port)
        self.branches = make_branches(count, scenario, ("127.0.0.1", broker_port), seed)
        gateway_files = write_gateway_settings(self.branches, scenario, self._gateway_dir, self._gateway_dir)
        server_file = directory / "server.yaml"
        document = {
            "data_dir": str(self._server_dir),
            "broker": {"embedded": False, "host": "127.0.0.1", "port": broker_port},
            "rules": {"overrides": dict(scenario.rules), "opening_hours": scenario.opening_hours},
            "maintenance": {"tick_s": 0.25},
            "console": {"port": console_port},
            **(server_settings or {}),
        }
        server_file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        self.server = Child("server", ["server", "--settings", str(server_file)], directory / "server.log")
        self.gateways = Child("gateways", ["gateway", *map(str, gateway_files)], directory / "gateways.log")

    async def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until the server is ready; see :meth:`Api.wait_ready`."""
        await self.api.wait_ready(self.server, timeout_s)

    async def wait_connected(self, timeout_s: float = 120) -> None:
        """Wait until every device of every branch has reported that its link is up.

        Raises:
            DependencyUnavailable: not in time; the message quotes the end of the gateways' log.
        """

        async def connected() -> bool:
            devices = await self.api.all_items("/api/v1/devices")
            expected = sum(len(branch.devices) + 1 for branch in self.branches)
            return len(devices) == expected and all(device["health"]["condition"] != "unknown" for device in devices)

        await wait_until("every device is connected", connected, timeout_s, self.gateways)

    async def wait_caught_up(self, timeout_s: float = 60) -> None:
        """Wait until the collector has every pack that each gateway had made, without a hole, and one made since.

        A gateway that is just waiting before it connects again makes no packs, and could not send at its end what it has.

        Raises:
            DependencyUnavailable: not in time; the message quotes the end of the gateways' log.
        """
        made = {
            branch.branch_id: item.last_seq for branch, item in zip(self.branches, self.outboxes(), strict=True)
        }  # fmt: skip

        async def caught_up() -> bool:
            items = (await self.api.get("/api/v1/gateways"))["items"]
            found = {item["branch_id"]: item["committed_packs"] for item in items if not item["open_holes"]}
            return all(found.get(branch_id, 0) > seq for branch_id, seq in made.items())

        await wait_until("every gateway has caught up", caught_up, timeout_s, self.gateways)

    async def wait_drained(self, timeout_s: float = 60) -> None:
        """Wait until the collector has committed every pack the gateways made.

        Raises:
            DependencyUnavailable: not in time; the message says what is missing.
        """

        async def drained() -> bool:
            packs = await self.packs()
            return packs.committed == packs.sent and all(not item.pending_readings for item in self.outboxes())

        await wait_until("every pack is committed", drained, timeout_s, self.server)

    async def packs(self) -> Packs:
        """Packs made by the gateways and taken by the collector."""
        gateways = await self.api.get("/api/v1/gateways")
        return Packs(
            sent=sum(item.last_seq for item in self.outboxes()),
            committed=sum(item["committed_packs"] for item in gateways["items"]),
            duplicates_dropped=sum(item["duplicates_dropped"] for item in gateways["items"]),
            holes_open=sum(item["open_holes"] for item in gateways["items"]),
        )

    def outboxes(self) -> Sequence[OutboxStatistics]:
        """Figures of every gateway's outbox, whether it runs or not."""
        return [statistics(self._gateway_dir / "gateway" / branch.branch_id / "outbox.db") for branch in self.branches]

    async def completeness(self) -> Completeness:
        """Hold what was produced against what is stored; the server has to be stopped."""
        produced = sum(item.produced for item in self.outboxes())
        settings = CollectorSettings()
        store = DuckDbStore(self._server_dir / STORE_DIRECTORY, SystemClock(), settings.duckdb, settings.retention)
        await store.open()
        try:
            audit, latency = await store.audit(), await store.latency()
        finally:
            await store.close()
        counts = ReadingCounts(
            produced=produced, stored=audit.stored, lost=max(produced - audit.stored, 0), doubled=audit.doubled
        )
        return Completeness(counts, Percentiles(p50=latency.p50_ms, p99=latency.p99_ms))


async def wait_until(what: str, condition: Callable[[], Awaitable[bool]], timeout_s: float, witness: Child) -> None:
    """Ask again and again until a condition holds.

    Raises:
        DependencyUnavailable: not within ``timeout_s``; the message quotes the end of the witness's log.
    """
    last = ""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    if await condition():
                        return
                except DependencyUnavailable as error:
                    last = str(error)
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise DependencyUnavailable(
            f"waited {timeout_s:g} s in vain until {what}. {last}\n{witness.name}'s log ends:\n{witness.last_words()}"
        ) from error
