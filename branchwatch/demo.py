"""The demonstration: a deployment on this machine, simulated people, a scenario, and a verdict at the end."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from branchwatch.demo_report import DemoReport
from branchwatch.deployment import Deployment
from branchwatch.findings import Findings
from branchwatch.scenario_check import check_scenario
from branchwatch.simulation import make_branches, make_directory
from contracts.errors import ConfigurationError
from runtime.clock import SystemClock
from runtime.supervisor import Supervisor
from simulators.player import Player
from simulators.ports import free_ports
from simulators.scenario import Scenario
from simulators.staff import Staff

_FIRST_PORT: Final = 10_000
"""Of branches on whose ports nobody will listen."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to show.

    Attributes:
        branches: how many.
        duration_s: when to end, ``None`` to run until interrupted.
        scenario: what happens.
        port: port of the page.
        seed: same seed, same luck.
        directory: where data and logs are kept; ``None`` for a temporary directory.
    """

    branches: int
    duration_s: float | None
    scenario: Scenario
    port: int
    seed: int
    directory: Path | None


class Demo:
    """One demonstration.

    Args:
        options: what to show.
        say: told where to look.

    Attributes:
        report: what came of it, once it has ended by itself.
    """

    def __init__(self, options: DemoOptions, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self.report: DemoReport | None = None

    async def run(self) -> None:
        """Run to the end.

        Raises:
            ConfigurationError: the port is taken, or the directory cannot be used.
            DependencyUnavailable: a part did not come up, or did not drain.
            BaseExceptionGroup: a part failed while it ran.
        """
        kept = self._options.directory
        self._check()
        directory = kept or Path(tempfile.mkdtemp(prefix="branchwatch-demo-"))
        done = False
        try:
            await self._run(directory)
            done = True
        finally:
            if kept is None and done:
                shutil.rmtree(directory, ignore_errors=True)
            elif not done:
                self._say(f"Data and logs are kept in {directory}")

    def _check(self) -> None:
        options = self._options
        if not _is_free(options.port):
            raise ConfigurationError(
                f"port {options.port} is taken; choose another one with --port, or --port 0 for any that is free"
            )
        check_scenario(self._rehearsal())
        if options.directory is not None:
            make_directory(options.directory)
            if (options.directory / "server.yaml").exists():
                raise ConfigurationError(
                    f"--data-dir {options.directory} holds an earlier demonstration, whose counts would be taken for this"
                    " one's; name another directory or remove it"
                )

    def _rehearsal(self) -> Player:
        """The scenario over branches like those of the demonstration, of which nothing starts."""
        options = self._options
        branches = make_branches(options.branches, options.scenario, ("127.0.0.1", 1), options.seed, _FIRST_PORT)
        return Player(options.scenario, branches, None, SystemClock())

    async def _run(self, directory: Path) -> None:
        options = self._options
        deployment = Deployment(
            directory,
            options.branches,
            options.scenario,
            console_port=options.port or free_ports(1)[0],
            seed=options.seed,
        )
        clock = SystemClock()
        staff = Staff(deployment.api.url, {branch.branch_id: branch for branch in deployment.branches})
        player = Player(options.scenario, deployment.branches, staff, clock)
        supervisor = Supervisor(stop_timeout_s=40)
        supervisor.stop_on_signals()
        supervisor.add(deployment.broker)
        supervisor.add(deployment.server)
        supervisor.add(_Waits("server ready", deployment.wait_ready))
        for branch in deployment.branches:
            for service in branch.services():
                supervisor.add(service)
        supervisor.add(deployment.gateways)
        supervisor.add(_Waits("devices connected", deployment.wait_connected))
        supervisor.add(staff)
        supervisor.add(player)
        if options.duration_s is not None:
            supervisor.add(_Conductor(options.duration_s, deployment, player, staff, self._take))
        self._say("Starting broker, server, simulated devices and gateways …")
        await supervisor.run(lambda: self._welcome(deployment))

    def _welcome(self, deployment: Deployment) -> None:
        devices = sum(len(branch.devices) + 1 for branch in deployment.branches)
        ending = "Ctrl+C ends it" if self._options.duration_s is None else f"it runs {self._options.duration_s:g} s"
        self._say(
            f"{len(deployment.branches)} branches with {devices} devices are connected; {ending}.\n"
            f"{len(deployment.branches)} 个网点共 {devices} 台设备已连接。\n"
            f"  page 页面      {deployment.api.url}/\n"
            f"  API            {deployment.api.url}/api/v1/devices\n"
            f"  description    {deployment.api.url}/api/openapi.json\n"
            f"  metrics        {deployment.api.url}/metrics"
        )

    def _take(self, report: DemoReport) -> None:
        self.report = report


class _Waits:
    """A step of the start: what comes after it begins when the condition holds."""

    def __init__(self, name: str, condition: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._condition = condition

    async def start(self) -> None:
        await self._condition()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Nothing is held."""


class _Conductor:
    """Ends the demonstration in order, so that what was produced can be held against what is stored."""

    name = "conductor"

    def __init__(
        self,
        duration_s: float,
        deployment: Deployment,
        player: Player,
        staff: Staff,
        take: Callable[[DemoReport], None],
    ) -> None:
        self._duration_s = duration_s
        self._deployment = deployment
        self._player = player
        self._staff = staff
        self._take = take

    async def start(self) -> None:
        """Nothing to prepare."""

    async def run(self) -> None:
        """Wait, look at what came about, stop the gateways, let everything drain, stop the server, count."""
        deployment = self._deployment
        await asyncio.sleep(self._duration_s)
        self._staff.on_duty = False
        findings = await Findings.gather(deployment, self._player)
        await deployment.gateways.end()
        await deployment.wait_drained()
        packs = await deployment.packs()
        await deployment.server.end()
        completeness = await deployment.completeness()
        self._take(findings.report(self._duration_s, packs, completeness))

    async def stop(self) -> None:
        """Nothing is held."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
