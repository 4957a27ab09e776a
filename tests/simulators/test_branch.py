"""A simulated branch as a whole."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from contracts.devices import KINDS
from contracts.errors import ConfigurationError
from simulators.access import Dc09, Snmp, Xfs
from simulators.alarm_panel import AlarmPanelSimulator
from simulators.atm import AtmSimulator
from simulators.branch import BLOWS, PORTS, SimulatedBranch
from simulators.camera import CameraSimulator
from simulators.outfit import MAJOR_SHARES, draw_major
from simulators.ports import free_ports
from simulators.world import World

NOWHERE = ("127.0.0.1", 1)


def fleet(count: int, seed: int = 1) -> list[SimulatedBranch]:
    world = World(seed=seed)
    return [
        SimulatedBranch(f"BR{number:04d}", world, NOWHERE, range(20_000, 20_000 + PORTS)) for number in range(count)
    ]


def test_a_branch_has_ten_devices_of_all_kinds() -> None:
    (branch,) = fleet(1)
    kinds = Counter(device.kind for device in branch.devices.values())
    assert kinds == {"atm": 2, "self_service_terminal": 1, "camera": 4, "alarm_panel": 1, "footfall_sensor": 2}
    assert set(kinds) | {"gateway"} == set(KINDS)
    assert [address.local_id for address in branch.addresses] == list(branch.devices)
    assert [address.kind for address in branch.addresses] == [device.kind for device in branch.devices.values()]


def test_every_port_of_a_branch_is_used_once() -> None:
    (branch,) = fleet(1)
    ports = [branch.line_port]
    for address in branch.addresses:
        ports += [access.port for access in address.accesses]
    ports += [device.rtsp_port for device in branch.devices.values() if isinstance(device, CameraSimulator)]
    assert sorted(ports) == list(range(20_000, 20_000 + PORTS))


def test_a_terminal_is_reached_over_two_protocols() -> None:
    (branch,) = fleet(1)
    (terminal,) = (address for address in branch.addresses if address.kind == "self_service_terminal")
    assert [type(access) for access in terminal.accesses] == [Xfs, Snmp]


def test_the_first_machine_dispenses_and_the_second_recycles() -> None:
    for branch in fleet(20):
        dispenser, recycler = (device for device in branch.devices.values() if isinstance(device, AtmSimulator))
        assert "deposit_jam" not in dispenser.failures
        assert "deposit_jam" in recycler.failures


def test_message_majors_are_spread_as_over_real_fleets() -> None:
    chance = random.Random(1)
    drawn = Counter(draw_major(chance, 1, 2, 3) for _ in range(2000))
    for major, share in MAJOR_SHARES.items():
        assert drawn[major] / 2000 == pytest.approx(share, abs=0.05)
    assert {draw_major(chance, 1, 3) for _ in range(100)} == {1, 3}


def test_panels_differ_in_key_and_transport() -> None:
    panels = [access for branch in fleet(30) for address in branch.addresses for access in address.accesses]
    keys = {panel.key and len(panel.key) for panel in panels if isinstance(panel, Dc09)}
    assert keys == {None, 16, 32}
    assert {panel.transport for panel in panels if isinstance(panel, Dc09)} == {"tcp", "udp"}


def test_the_same_seed_gives_the_same_branches_and_another_one_others() -> None:
    def shape(seed: int) -> list[object]:
        return [branch.addresses for branch in fleet(5, seed)]

    assert shape(1) == shape(1) != shape(2)


def test_secrets_of_devices_do_not_show_in_what_is_printed_about_them() -> None:
    for branch in fleet(5):
        for address in branch.addresses:
            for access in address.accesses:
                for name in ("password", "key", "community"):
                    secret = getattr(access, name, None)
                    assert secret is None or str(secret) not in repr(access)


async def test_a_mains_failure_reaches_every_device_with_a_battery_and_the_cameras_and_is_over_again() -> None:
    branch = SimulatedBranch("BR0001", World(pace=60), NOWHERE)
    reached = branch.failures_of("mains_failure")
    assert set(reached) == {"atm-01", "atm-02", "sst-01", "cam-01", "cam-02", "cam-03", "cam-04", "panel-01"}
    (panel,) = (device for device in branch.devices.values() if isinstance(device, AlarmPanelSimulator))
    async with AsyncExitStack() as stack:
        for device in branch.devices.values():
            await device.start()
            stack.push_async_callback(device.stop)
        await branch.strike("mains_failure")
        assert not has_mains(panel)
        with pytest.raises(OSError, match=r"[Cc]onnect"):
            await asyncio.open_connection("127.0.0.1", _camera(branch).http_port)
        await branch.recover("mains_failure")
        assert has_mains(panel)
        _, writer = await asyncio.open_connection("127.0.0.1", _camera(branch).http_port)
        writer.close()
        await writer.wait_closed()


def has_mains(panel: AlarmPanelSimulator) -> bool:
    return panel.model.mains


def _camera(branch: SimulatedBranch) -> CameraSimulator:
    camera = branch.devices["cam-01"]
    assert isinstance(camera, CameraSimulator)
    return camera


def test_a_dead_switch_takes_most_cameras_and_nothing_else() -> None:
    (branch,) = fleet(1)
    assert branch.failures_of("camera_switch_dead") == dict.fromkeys(("cam-01", "cam-02", "cam-03"), "unreachable")


async def test_what_cannot_befall_a_branch_is_named_with_what_can() -> None:
    (branch,) = fleet(1)
    for act in (branch.strike, branch.recover):
        with pytest.raises(ConfigurationError, match=f"no 'flood' can befall a branch; there are {', '.join(BLOWS)}"):
            await act("flood")


def test_free_ports_are_free_and_follow_one_another() -> None:
    ports = free_ports(50)
    assert ports == list(range(ports[0], ports[0] + 50))
    assert ports[-1] < 32_768, "systems give these to outgoing connections"
