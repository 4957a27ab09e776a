"""Simulated branches and the gateway settings that fit them."""

import asyncio
import errno
import signal
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from branchwatch.scenario_check import check_scenario
from contracts.errors import ConfigurationError
from runtime.clock import SystemClock
from runtime.settings import BrokerSettings
from runtime.supervisor import Supervisor
from simulators.access import HOST, Access, Address, Axis, Dc09, Milesight, Onvif, Snmp, Xfs
from simulators.branch import PORTS, SimulatedBranch
from simulators.load import Load
from simulators.player import Player
from simulators.ports import free_ports
from simulators.scenario import Scenario
from simulators.world import CHINA, World

DEVICE_NAMES: Final = {
    "atm": "ATM 自动柜员机",
    "self_service_terminal": "Terminal 自助终端",
    "camera": "Camera 摄像机",
    "alarm_panel": "Alarm panel 报警主机",
    "footfall_sensor": "Footfall sensor 客流计",
}

_PORTS_END: Final = 65_536

_HEAD: Final = """\
# Gateway of the simulated branch {}. The broker's port is the near end of a simulated line, which can be cut;
# the line and the devices exist while the simulation runs.
"""


def make_directory(directory: Path) -> None:
    """Make a directory where it is missing.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"directory {directory}: cannot be made: {error.strerror}; name one that this user may write"
        ) from error


def make_branches(
    count: int,
    scenario: Scenario,
    broker: tuple[str, int],
    seed: int,
    first_port: int | None = None,
    *,
    mishaps: bool = False,
) -> list[SimulatedBranch]:
    """Branches ``BR0001`` … of one world whose day begins as the scenario says.

    Their ports follow one another from ``first_port``; any free ones where it is ``None``. With ``mishaps`` things also
    break by themselves, as often as real ones.

    Raises:
        ConfigurationError: there are not so many ports.
    """
    if first_port is not None and first_port + count * PORTS > _PORTS_END:
        raise ConfigurationError(
            f"{count} branches with devices need {count * PORTS} ports from {first_port} on; there is room for"
            f" {(_PORTS_END - first_port) // PORTS}. Choose fewer, or --load, which needs none"
        )
    world = World(seed=seed, pace=scenario.pace, begin_at=scenario.begins_at(datetime.now(CHINA)), day_s=scenario.day_s)
    ports = free_ports(count * PORTS) if first_port is None else range(first_port, first_port + count * PORTS)
    return [
        SimulatedBranch(f"BR{number:04d}", world, broker, ports[(number - 1) * PORTS : number * PORTS], mishaps=mishaps)
        for number in range(1, count + 1)
    ]


def _connection(access: Access, scenario: Scenario) -> dict[str, Any]:
    """The ``connection`` section of a gateway's settings for one way to a device."""
    poll_s = scenario.poll_s
    match access:
        case Xfs():
            section: dict[str, Any] = {
                "driver": "xfs",
                "host": HOST,
                "ports": [access.port],
                "tls": False,
                "components": dict.fromkeys(access.identity_readers, "idr"),
                "poll_s": min(max(poll_s, 1), 60),
            }
        case Snmp():
            agent = {"address": HOST, "port": access.port, "community": access.community}
            section = {
                "driver": "snmp",
                "host": {**agent, "application": access.application},
                "printer": agent,
                "ups": agent,
                "poll_s": poll_s,
            }
        case Onvif():
            section = {
                "driver": "onvif",
                "host": HOST,
                "port": access.port,
                "username": access.username,
                "password": access.password,
            }
        case Dc09():
            section = {
                "driver": "dc09",
                "listen_host": HOST,
                "listen_port": access.port,
                "transport": access.transport,
                "account": access.account,
                **({} if access.key is None else {"key_hex": access.key.hex()}),
                "supervision_s": access.supervision_s,
                "areas": list(access.areas),
                "zones": list(access.zones),
            }
        case Axis():
            section = {
                "driver": "axis",
                "host": HOST,
                "port": access.port,
                "username": access.username,
                "password": access.password,
                "poll_s": poll_s,
                "invert": access.inverted,
            }
        case Milesight():
            section = {
                "driver": "milesight",
                "listen_host": HOST,
                "listen_port": access.port,
                "path": access.path,
                "username": access.username,
                "password": access.password,
                "interval_s": access.interval_s,
                "invert_lines": [1] if access.inverted else [],
            }
    return {**section, **scenario.drivers.get(section["driver"], {})}


def _device(address: Address, scenario: Scenario) -> dict[str, Any]:
    connections = [_connection(access, scenario) for access in address.accesses]
    return {
        "id": address.local_id,
        "kind": address.kind,
        "name": f"{DEVICE_NAMES[address.kind]} {address.local_id[-2:]}",
        **({"connection": connections[0]} if len(connections) == 1 else {"connections": connections}),
    }


def gateway_document(branch: SimulatedBranch, scenario: Scenario, data_dir: Path) -> dict[str, Any]:
    """Settings of a simulated branch's gateway, as its YAML file holds them."""
    return {
        "branch_id": branch.branch_id,
        "data_dir": str(data_dir),
        "broker": {"host": "127.0.0.1", "port": branch.line_port},
        **scenario.gateway,
        "devices": [_device(address, scenario) for address in branch.addresses],
    }


def write_gateway_settings(
    branches: Sequence[SimulatedBranch], scenario: Scenario, directory: Path, data_dir: Path
) -> list[Path]:
    """Write one settings file a branch into ``directory``; gives the paths."""
    make_directory(directory)
    paths = []
    for branch in branches:
        path = directory / f"{branch.branch_id}.yaml"
        document = yaml.safe_dump(gateway_document(branch, scenario, data_dir), sort_keys=False, allow_unicode=True)
        path.write_text(_HEAD.format(branch.branch_id) + document, encoding="utf-8")
        paths.append(path)
    return paths


async def run_simulation(
    count: int,
    scenario: Scenario,
    broker: tuple[str, int],
    directory: Path,
    *,
    seed: int,
    first_port: int,
    failures: bool,
    mishaps: bool,
    say: Callable[[str], None],
) -> None:
    """Run simulated branches until the process is told to stop by a signal.

    Args:
        count: how many.
        scenario: pace of the day, and what fails.
        broker: where the branches' lines lead.
        directory: where the gateways' settings are written.
        seed: same seed, same luck.
        first_port: the first of the loopback ports used; the same port means the same settings files.
        failures: whether the scenario's steps happen; repairs are then up to whoever watches.
        mishaps: whether things also break by themselves.
        say: told where to go on.
    """
    branches = make_branches(count, scenario, broker, seed, first_port, mishaps=mishaps)
    player = Player(scenario, branches, None, SystemClock())
    if failures:
        check_scenario(player)
    paths = write_gateway_settings(branches, scenario, directory, directory / "data")
    supervisor = Supervisor()
    supervisor.stop_on_signals()
    for branch in branches:
        for service in branch.services():
            supervisor.add(service)
    if failures:
        supervisor.add(player)
    names = " ".join(str(path) for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    devices = count * len(branches[0].devices)
    try:
        await supervisor.run(
            lambda: say(
                f"{count} branches with {devices} devices are simulated. Start their gateways:\n  branchwatch gateway {names}"
            )
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        last_port = first_port + count * PORTS - 1
        raise ConfigurationError(
            f"ports {first_port} to {last_port}: {error.strerror}; is another simulation running? give another --first-port"
        ) from error


async def run_load(
    count: int,
    broker: tuple[str, int],
    *,
    seed: int,
    rate: float | None,
    pack_readings: int,
    connections: int,
    duration_s: float | None,
    say: Callable[[str], None],
) -> None:
    """Publish as the gateways of branches without devices, until the time is over or a signal comes.

    Args:
        count: how many branches.
        broker: where to publish.
        seed: same seed, same values.
        rate: readings a second, ``None`` for as many as the broker takes.
        pack_readings: about how many readings a pack has.
        connections: connections used.
        duration_s: seconds, ``None`` for no end.
        say: told what was achieved.
    """
    host, port = broker
    load = Load(
        count,
        BrokerSettings(host=host, port=port),
        SystemClock(),
        rate=rate,
        pack_readings=pack_readings,
        connections=connections,
        duration_s=duration_s,
        seed=seed,
        say=say,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, load.end)
    say(f"Packs of {count} branches go to {host}:{port}; Ctrl+C ends it.")
    report = await load.run()
    say(report.line())
