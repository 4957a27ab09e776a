"""A whole deployment in processes of its own, for tests that break it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from branchwatch.deployment import Completeness, Deployment
from simulators.alarm_panel import AlarmPanelSimulator
from simulators.scenario import load_scenario
from tests.conftest import free_port


class Trial:
    """A running deployment under trial, and what its independent witnesses saw."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def panels(self) -> dict[str, AlarmPanelSimulator]:
        """The alarm panels by full device id."""
        return {
            f"{branch.branch_id}/{local_id}": device
            for branch in self.deployment.branches
            for local_id, device in branch.devices.items()
            if isinstance(device, AlarmPanelSimulator)
        }

    async def cause_alarms(self) -> None:
        """An intrusion at every branch, and its end: events that a gateway must not lose once it has answered."""
        for panel in self.panels().values():
            await panel.inject("intrusion")
            await panel.repair("intrusion")

    async def finish(self) -> Completeness:
        """Stop the gateways in order, drain, hold the panels' answered events against the store, stop the server, count."""
        deployment = self.deployment
        await self._panels_are_heard()
        await deployment.wait_caught_up()
        await deployment.gateways.end()
        await deployment.wait_drained()
        for device_id, panel in self.panels().items():
            stored = [
                event["text"]
                for event in await deployment.api.all_items(f"/api/v1/devices/{device_id}/events")
                if event["path"] == "panel/event"
            ]
            assert len(stored) == len(panel.acknowledged) > 0, f"{device_id}: an answered event is missing or doubled"
            await self._one_burglary(device_id)
        await deployment.server.end()
        return await deployment.completeness()

    async def _one_burglary(self, device_id: str) -> None:
        """However often it was told and taken, an intrusion that latches is one fault with one order."""
        faults = await self.deployment.api.all_items("/api/v1/faults", state="all", device_id=device_id)
        orders = await self.deployment.api.all_items("/api/v1/work-orders", device_id=device_id)
        assert [fault["rule_id"] for fault in faults] == ["alm.burglary"]
        assert [(order["family"], order["fault_count"]) for order in orders] == [("intrusion", 1)]

    async def _panels_are_heard(self) -> None:
        async with asyncio.timeout(60):
            while any(panel.waiting for panel in self.panels().values()):
                await asyncio.sleep(0.1)


@asynccontextmanager
async def running(directory: Path, branches: int) -> AsyncIterator[Trial]:
    """Start everything, give it to the test, end every process."""
    deployment = Deployment(directory, branches, load_scenario("steady"), console_port=free_port())
    services = [service for branch in deployment.branches for service in branch.services()]
    await deployment.broker.start()
    try:
        await deployment.server.start()
        await deployment.wait_ready()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(deployment.broker.run())]
            for service in services:
                await service.start()
                tasks.append(group.create_task(service.run()))
            await deployment.gateways.start()
            await deployment.wait_connected()
            try:
                yield Trial(deployment)
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        await deployment.gateways.end()
        await deployment.server.end()
        for service in reversed(services):
            await service.stop()
        await deployment.broker.stop()


Start = Callable[[int], Awaitable[Trial]]


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    """Two branches in use."""
    async with running(tmp_path, branches=2) as under_trial:
        yield under_trial
