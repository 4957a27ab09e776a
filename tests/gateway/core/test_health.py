"""What a gateway says of itself: an update is told once, and its computer is left out where several share one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gateway.app import GatewayApp
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings, UplinkSettings
from runtime.clock import SystemClock
from runtime.settings import BrokerSettings
from tests.gateway.core.wire import BRANCH, Listener


@asynccontextmanager
async def running(broker: BrokerSettings, data_dir: Path, *, watch_host: bool = True) -> AsyncIterator[None]:
    settings = GatewaySettings(
        branch_id=BRANCH,
        data_dir=data_dir,
        broker=broker,
        uplink=UplinkSettings(flush_s=0.05),
        health_s=0.1,
        watch_host=watch_host,
    )
    app = GatewayApp(settings, SystemClock(), GatewayMetrics(CollectorRegistry()))
    started, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.run_until(stop, started.set))
    try:
        async with asyncio.timeout(20):
            await started.wait()
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


def said(listener: Listener) -> dict[str, list[object]]:
    """Values by signal, each reading once, in the order of their times."""
    found: dict[str, dict[float, object]] = {}
    for pack in listener.packs():
        for record in pack.records:
            found.setdefault(record.name.removeprefix(f"{BRANCH}/gateway/"), {})[record.time_s] = record.value
    return {name: [value for _, value in sorted(values.items())] for name, values in found.items()}


async def test_an_update_is_told_once_with_both_versions(
    broker: BrokerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0.0", "1.0.0", "1.1.0"):
        monkeypatch.setattr("gateway.app.gateway_version", lambda version=version: version)
        async with running(broker, tmp_path):
            pass
    async with Listener(broker) as listener, running(broker, tmp_path):
        await listener.until(lambda: len(said(listener).get("gateway/event", [])) >= 8)
        assert said(listener)["gateway/event"] == [
            *("start 1.0.0", "stop 1.0.0", "start 1.0.0", "stop 1.0.0"),
            *("start 1.1.0", "update 1.0.0 -> 1.1.0", "stop 1.1.0", "start 1.1.0"),
        ]


@pytest.mark.parametrize("watch_host", [True, False])
async def test_the_computers_own_figures_are_told_where_they_are_wanted(
    broker: BrokerSettings, tmp_path: Path, watch_host: bool
) -> None:
    async with Listener(broker) as listener:
        async with running(broker, tmp_path, watch_host=watch_host):
            await listener.until(lambda: "outbox/commit_time" in said(listener))
        await listener.until(lambda: len(said(listener).get("gateway/event", [])) >= 2)
    of_the_computer = {path for path in said(listener) if path.startswith(("host/", "clock/", "ups/"))}
    assert of_the_computer >= {"host/uptime", "host/memory_used", "host/disk1/used"} or not watch_host
    assert of_the_computer == {"host/app/restarts"} or watch_host
