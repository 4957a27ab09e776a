"""Simulated branches and the gateway settings that fit them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.errors import ConfigurationError
from runtime.clock import SystemClock
from runtime.supervisor import Supervisor
from simulators.branch import PORTS, Address, SimulatedBranch
from simulators.player import Player
from simulators.scenario import Scenario
from simulators.world import CHINA, World

DEVICE_NAMES: Final = {
    "atm": "ATM 自动柜员机",
    "alarm_panel": "Alarm panel 报警主机",
    "footfall_sensor": "Footfall sensor 客流计",
}


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
    count: int, scenario: Scenario, broker: tuple[str, int], seed: int, first_port: int | None = None
) -> list[SimulatedBranch]:
    """Branches ``BR0001`` … of one world whose day begins as the scenario says.

    Their ports follow one another from ``first_port``; any free ones where it is ``None``.
    """
    world = World(seed=seed, pace=scenario.pace, begin_at=scenario.begins_at(datetime.now(CHINA)), day_s=scenario.day_s)
    branches = []
    for number in range(1, count + 1):
        begin = None if first_port is None else first_port + (number - 1) * PORTS
        ports = None if begin is None else range(begin, begin + PORTS)
        branches.append(SimulatedBranch(f"BR{number:04d}", world, broker, ports))
    return branches


def _connection(address: Address, poll_s: float) -> dict[str, Any]:
    match address.protocol:
        case "xfs":
            return {
                "driver": "xfs",
                "host": "127.0.0.1",
                "ports": [address.port],
                "tls": False,
                "poll_s": max(poll_s, 1),
            }
        case "dc09":
            return {"driver": "dc09", "listen_port": address.port, "account": address.account}
        case _:
            return {"driver": "axis", "host": "127.0.0.1", "port": address.port, "poll_s": poll_s}


def gateway_document(branch: SimulatedBranch, scenario: Scenario, data_dir: Path) -> dict[str, Any]:
    """Settings of a simulated branch's gateway, as its YAML file holds them."""
    return {
        "branch_id": branch.branch_id,
        "data_dir": str(data_dir),
        "broker": {"host": "127.0.0.1", "port": branch.line_port},
        **scenario.gateway,
        "devices": [
            {
                "id": address.local_id,
                "kind": address.kind,
                "name": f"{DEVICE_NAMES[address.kind]} {address.local_id[-2:]}",
                "connection": _connection(address, scenario.poll_s),
            }
            for address in branch.addresses
        ],
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
        say: told where to go on.
    """
    branches = make_branches(count, scenario, broker, seed, first_port)
    paths = write_gateway_settings(branches, scenario, directory, directory / "data")
    supervisor = Supervisor()
    supervisor.stop_on_signals()
    for branch in branches:
        for service in branch.services():
            supervisor.add(service)
    if failures:
        supervisor.add(Player(scenario, branches, None, SystemClock()))
    names = " ".join(str(path) for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    await supervisor.run(
        lambda: say(f"{count} branches are simulated. Start their gateways:\n  branchwatch gateway {names}")
    )
