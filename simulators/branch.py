"""A simulated branch: its devices, the line from its gateway to the broker, and what befalls all of it at once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from contracts.errors import ConfigurationError
from runtime.supervisor import Service
from simulators.access import Address
from simulators.device import SimulatedDevice
from simulators.line import Line
from simulators.outfit import OUTFIT, Room
from simulators.ports import free_ports
from simulators.world import World

PORTS: Final = 1 + sum(fitting.ports for fitting in OUTFIT)
"""Loopback ports of a simulated branch: the line and the devices."""

SWITCH_SHARE: Final = 0.7
"""Cameras of a branch that hang at the same switch; the others go another way. Source: assumed."""


_MAINS: Final = ("mains_failure", "mains_loss")
"""What devices with a battery of their own call it."""


def _mains_failure(devices: Mapping[str, SimulatedDevice]) -> Mapping[str, str]:
    """What has a battery says so; cameras have none."""
    found: dict[str, str] = {}
    for local_id, device in devices.items():
        own = next((name for name in _MAINS if name in device.failures), None)
        if device.kind == "camera":
            found[local_id] = "unreachable"
        elif own is not None:
            found[local_id] = own
    return found


def _camera_switch_dead(devices: Mapping[str, SimulatedDevice]) -> Mapping[str, str]:
    cameras = [local_id for local_id, device in devices.items() if device.kind == "camera"]
    return dict.fromkeys(cameras[: max(1, round(len(cameras) * SWITCH_SHARE))], "unreachable")


BLOWS: Final[Mapping[str, Callable[[Mapping[str, SimulatedDevice]], Mapping[str, str]]]] = {
    "mains_failure": _mains_failure,
    "camera_switch_dead": _camera_switch_dead,
}
"""What can befall a branch as a whole, by name: the failure of each device it reaches."""


class SimulatedBranch:
    """Ten devices and the line to the broker.

    Args:
        branch_id: branch.
        world: the world it stands in.
        broker: where its line leads.
        ports: :data:`PORTS` loopback ports; any that are free where none are given.
        mishaps: whether things also break by themselves.

    Attributes:
        branch_id: branch.
        devices: simulated devices by local id.
        addresses: where the gateway finds them.
        line: the line from the gateway to the broker.
        line_port: loopback port at which the gateway finds the broker's end of the line.
    """

    def __init__(
        self,
        branch_id: str,
        world: World,
        broker: tuple[str, int],
        ports: Sequence[int] | None = None,
        *,
        mishaps: bool = False,
    ) -> None:
        self.branch_id = branch_id
        self.line_port, *rest = ports or free_ports(PORTS)
        self.line = Line(self.line_port, broker)
        room = Room(branch_id, world.of(branch_id), mishaps)
        devices: dict[str, SimulatedDevice] = {}
        addresses = []
        for fitting in OUTFIT:
            own, rest = rest[: fitting.ports], rest[fitting.ports :]
            devices[fitting.local_id], address = fitting.fit(room, own)
            addresses.append(address)
        self.devices: Mapping[str, SimulatedDevice] = devices
        self.addresses: Sequence[Address] = addresses

    def services(self) -> list[Service]:
        """The line first, then the devices."""
        return [_LineService(self.branch_id, self.line), *(_DeviceService(self, d) for d in self.devices.values())]

    async def strike(self, blow: str) -> None:
        """Let something befall the branch now, all devices at once.

        Raises:
            ConfigurationError: there is no such thing.
        """
        failures = self.failures_of(blow)
        async with asyncio.TaskGroup() as group:
            for local_id, failure in failures.items():
                group.create_task(self.devices[local_id].inject(failure))

    async def recover(self, blow: str) -> None:
        """Let it be over.

        Raises:
            ConfigurationError: there is no such thing.
        """
        failures = self.failures_of(blow)
        async with asyncio.TaskGroup() as group:
            for local_id, failure in failures.items():
                group.create_task(self.devices[local_id].repair(failure))

    def failures_of(self, blow: str) -> Mapping[str, str]:
        """What a blow means for each device it reaches.

        Raises:
            ConfigurationError: there is no such thing.
        """
        if blow not in BLOWS:
            raise ConfigurationError(f"{self.branch_id}: no {blow!r} can befall a branch; there are {', '.join(BLOWS)}")
        return BLOWS[blow](self.devices)


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
