"""A simulated branch: its devices, and the line from its gateway to the broker."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.supervisor import Service
from simulators.alarm_panel import AlarmPanelSimulator
from simulators.alarm_panel.day import WITHOUT_MISHAPS
from simulators.atm import AtmSimulator
from simulators.device import SimulatedDevice
from simulators.footfall import FootfallSimulator
from simulators.line import Line
from simulators.world import World

ATMS = 2
"""ATMs of a simulated branch: a small one."""


PORTS: Final = 3 + ATMS
"""Loopback ports of a simulated branch: line, panel, footfall sensor, ATMs."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a gateway reaches a device, or listens for it.

    Attributes:
        local_id: device id inside the branch.
        kind: device kind.
        protocol: driver name.
        port: loopback port.
        account: account number of an alarm panel, else empty.
    """

    local_id: str
    kind: str
    protocol: str
    port: int
    account: str = ""


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class SimulatedBranch:
    """Two ATMs, an alarm panel and a footfall sensor, and the line to the broker.

    Args:
        branch_id: branch.
        world: the world it stands in.
        broker: where its line leads.
        ports: :data:`PORTS` loopback ports; any that are free where none are given.

    Attributes:
        branch_id: branch.
        devices: simulated devices by local id.
        addresses: where the gateway finds them.
        line: the line from the gateway to the broker.
        line_port: loopback port at which the gateway finds the broker's end of the line.
    """

    def __init__(
        self, branch_id: str, world: World, broker: tuple[str, int], ports: Sequence[int] | None = None
    ) -> None:
        self.branch_id = branch_id
        self.line_port, panel_port, footfall_port, *atm_ports = ports or free_ports(PORTS)
        self.line = Line(self.line_port, broker)
        own_world = world.of(branch_id)
        account = f"{int(branch_id[2:]) if branch_id[2:].isdecimal() else 0:04d}"
        devices: list[SimulatedDevice] = [
            AtmSimulator(f"atm-{number:02d}", own_world, port, hardware_error_share=0)
            for number, port in enumerate(atm_ports, 1)
        ]
        devices.append(
            AlarmPanelSimulator(
                "panel-01", own_world, ("127.0.0.1", panel_port), account, habits=WITHOUT_MISHAPS, reply_timeout_s=5
            )
        )
        devices.append(FootfallSimulator("footfall-01", own_world, footfall_port))
        self.devices: Mapping[str, SimulatedDevice] = {device.local_id: device for device in devices}
        self.addresses: Sequence[Address] = (
            *(Address(f"atm-{number:02d}", "atm", "xfs", port) for number, port in enumerate(atm_ports, 1)),
            Address("panel-01", "alarm_panel", "dc09", panel_port, account),
            Address("footfall-01", "footfall_sensor", "axis", footfall_port),
        )

    def services(self) -> list[Service]:
        """The line first, then the devices."""
        return [_LineService(self.branch_id, self.line), *(_DeviceService(self, d) for d in self.devices.values())]


class _DeviceService:
    def __init__(self, branch: SimulatedBranch, device: SimulatedDevice) -> None:
        self.name = f"simulated {branch.branch_id}/{device.local_id}"
        self._device = device

    async def start(self) -> None:
        await self._device.start()

    async def run(self) -> None:
        await self._device.run()

    async def stop(self) -> None:
        await self._device.stop()


class _LineService:
    def __init__(self, branch_id: str, line: Line) -> None:
        self.name = f"simulated line of {branch_id}"
        self._line = line

    async def start(self) -> None:
        await self._line.start()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await self._line.stop()
