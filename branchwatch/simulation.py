"""Simulated branches and the gateway settings that fit them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from runtime.clock import SystemClock
from runtime.supervisor import Supervisor
from simulators.branch import Address, SimulatedBranch
from simulators.player import Player
from simulators.scenario import Scenario
from simulators.world import CHINA, World

DEVICE_NAMES: Final = {
    "atm": "ATM 自动柜员机",
    "alarm_panel": "Alarm panel 报警主机",
    "footfall_sensor": "Footfall sensor 客流计",
}


def make_branches(count: int, scenario: Scenario, broker: tuple[str, int], seed: int) -> list[SimulatedBranch]:
    """Branches ``BR0001`` … of one world whose day begins as the scenario says."""
    world = World(seed=seed, pace=scenario.pace, begin_at=scenario.begins_at(datetime.now(CHINA)), day_s=scenario.day_s)
    return [SimulatedBranch(f"BR{number:04d}", world, broker) for number in range(1, count + 1)]


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
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for branch in branches:
        path = directory / f"{branch.branch_id}.yaml"
        document = gateway_document(branch, scenario, data_dir)
        path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
        paths.append(path)
    return paths


async def run_simulation(
    count: int,
    scenario: Scenario,
    broker: tuple[str, int],
    directory: Path,
    *,
    seed: int,
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
        failures: whether the scenario's steps happen; repairs are then up to whoever watches.
        say: told where to go on.
    """
    branches = make_branches(count, scenario, broker, seed)
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
