"""Simulated people: a NOC operator who sends work orders on, and a technician who goes there and repairs.

They use the public HTTP API and nothing else, as the web console and the phone do. What they repair is the simulated
device itself; whether that helped, telemetry has to tell.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from runtime.logs import get_logger
from simulators.branch import SimulatedBranch

_log = get_logger(__name__)

OPERATOR: Final = "noc.wang"
TECHNICIAN: Final = "tech.li"

_STEP_S: Final = 0.5
"""Seconds a simulated person takes for a command."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


@dataclass
class Staff:
    """People who look at the console's work orders and act.

    Args:
        api: base address of the server, ``http://127.0.0.1:8080``.
        branches: the branches they can go to.
        on_duty: whether they look at all.
    """

    api: str
    branches: Mapping[str, SimulatedBranch]
    name: str = "simulated staff"
    on_duty: bool = True
    _broken: dict[str, list[str]] = field(default_factory=dict)

    def send_for(self, device_id: str, failure: str) -> None:
        """Let the next work order of a device be repaired by a technician who knows what is wrong with it."""
        self._broken.setdefault(device_id, []).append(failure)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Nothing is held."""

    async def run(self) -> None:
        async with aiohttp.ClientSession(self.api, timeout=_TIMEOUT) as session:
            while True:
                try:
                    if self.on_duty:
                        await self._look(session)
                except (aiohttp.ClientError, TimeoutError) as error:
                    _log.warning("staff cannot reach the server", error=str(error) or type(error).__name__)
                await asyncio.sleep(_STEP_S)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        async with session.get("/api/v1/work-orders", params={"open": "true", "limit": "500"}) as response:
            response.raise_for_status()
            page = await response.json()
        for order in page["items"]:
            if order["device_id"] in self._broken:
                await self._act(session, order)

    async def _act(self, session: aiohttp.ClientSession, order: Mapping[str, Any]) -> None:
        """Do the next thing the order's state asks for."""
        match order["state"]:
            case "new":
                await self._command(session, order, OPERATOR, "triage")
            case "triaged":
                await self._command(session, order, OPERATOR, "offer", assignee=TECHNICIAN)
            case "offered":
                await self._command(session, order, TECHNICIAN, "accept")
            case "accepted":
                await self._command(session, order, TECHNICIAN, "depart")
            case "travelling":
                await self._command(session, order, TECHNICIAN, "arrive")
            case "on_site":
                await self._repair(order["device_id"])
                await self._command(session, order, TECHNICIAN, "repair", note="cause removed, test good")

    async def _repair(self, device_id: str) -> None:
        branch_id, _, local_id = device_id.partition("/")
        for failure in self._broken[device_id]:
            await self.branches[branch_id].devices[local_id].repair(failure)

    @staticmethod
    async def _command(
        session: aiohttp.ClientSession, order: Mapping[str, Any], actor: str, command: str, **more: str
    ) -> None:
        body = {
            "command": command, "actor": actor, "command_id": str(uuid.uuid4()),
            "expected_revision": order["revision"], **more,
        }  # fmt: skip
        async with session.post(f"/api/v1/work-orders/{order['id']}/commands", json=body) as response:
            if response.status == 409:
                _log.info("order moved on meanwhile", order=order["number"], answer=await response.text())
                return
            response.raise_for_status()
            _log.info("work order moved", order=order["number"], command=command, by=actor)
