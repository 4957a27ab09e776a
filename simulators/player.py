"""Plays a scenario over simulated branches."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.errors import ConfigurationError
from contracts.identity import GATEWAY_DEVICE
from runtime.clock import Clock
from runtime.logs import get_logger
from simulators.branch import BLOWS, SimulatedBranch
from simulators.scenario import Scenario, Step
from simulators.staff import Staff

_log = get_logger(__name__)


@dataclass
class Player:
    """Lets each step of a scenario happen at its time.

    Args:
        scenario: what happens.
        branches: where.
        staff: who is told what to repair; ``None`` where nobody repairs.
        clock: stamps what happened.

    Attributes:
        happened: when each step happened, milliseconds since 1970 UTC, by name; what has not happened is missing.
    """

    scenario: Scenario
    branches: Sequence[SimulatedBranch]
    staff: Staff | None
    clock: Clock
    name: str = "scenario"
    happened: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Check that everything that shall fail can fail.

        Raises:
            ConfigurationError: a step names a device or failure that its branch does not have.
        """
        for step in self.scenario.steps:
            devices = self.branch_of(step).devices
            for device in filter(None, (step.device, *(expected.device for expected in step.expect))):
                if device not in devices and device != GATEWAY_DEVICE:
                    there = ", ".join((*devices, GATEWAY_DEVICE))
                    raise ConfigurationError(f"step {step.name}: no device {device!r}; there are {there}")
            if step.strike is not None and step.strike not in BLOWS:
                raise ConfigurationError(
                    f"step {step.name}: no {step.strike!r} can befall a branch; there are {', '.join(BLOWS)}"
                )
            if step.device is None or step.inject is None:
                continue
            failures = devices[step.device].failures if step.device in devices else ()
            if step.inject not in failures:
                raise ConfigurationError(
                    f"step {step.name}: no failure {step.inject!r}; there are {', '.join(failures) or 'none'}"
                )

    async def start(self) -> None:
        """Check before anything breaks; see :meth:`check`."""
        self.check()

    async def run(self) -> None:
        """Play all steps, then wait to be cancelled."""
        async with asyncio.TaskGroup() as group:
            for step in self.scenario.steps:
                group.create_task(self._play(step), name=f"step {step.name}")
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Nothing is held."""

    def branch_of(self, step: Step) -> SimulatedBranch:
        """The branch a step happens at."""
        return self.branches[(step.branch - 1) % len(self.branches)]

    async def _play(self, step: Step) -> None:
        await asyncio.sleep(step.at_s)
        branch = self.branch_of(step)
        self.happened[step.name] = self.clock.now_ms()
        _log.info("scenario", step=step.name, branch=branch.branch_id, device=step.device or step.strike or "line")
        if step.technician and self.staff is not None:
            self.staff.send_for(f"{branch.branch_id}/{step.device}", str(step.inject))
        await _begin(step, branch)
        lasts_s = step.cut_line_s or step.over_after_s
        if lasts_s is not None:
            await asyncio.sleep(lasts_s)
            await _end(step, branch)
            _log.info("scenario", step=f"{step.name} is over", branch=branch.branch_id)


async def _begin(step: Step, branch: SimulatedBranch) -> None:
    if step.cut_line_s is not None:
        await branch.line.cut()
    elif step.strike is not None:
        await branch.strike(step.strike)
    elif step.device is not None and step.inject is not None:
        await branch.devices[step.device].inject(step.inject)


async def _end(step: Step, branch: SimulatedBranch) -> None:
    if step.cut_line_s is not None:
        await branch.line.restore()
    elif step.strike is not None:
        await branch.recover(step.strike)
    elif step.device is not None and step.inject is not None:
        await branch.devices[step.device].repair(step.inject)
