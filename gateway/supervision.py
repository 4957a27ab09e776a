"""Runs the drivers: again when one ends, with growing waits, and says how each protocol is doing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceError, DeviceUnreachable
from gateway.driver import Driver, Observation
from gateway.intake import DeviceIntake, RefusedInputs, reason_of
from gateway.metrics import GatewayMetrics
from gateway.outbox.outbox import Outbox
from runtime.logs import get_logger
from runtime.supervisor import Backoff, Restart, retry_forever

_log = get_logger(__name__)

FAILED_AFTER: Final = 3
"""Ends in a row, the device being reachable, after which a driver counts as failed and not as backing off."""

_BEAT_S: Final = 1.0


class DriverState(StrEnum):
    """States of a driver: the words of ``driver/{name}/state``, worst last."""

    STOPPED = "stopped"
    RUNNING = "running"
    STARTING = "starting"
    BACKOFF = "backoff"
    FAILED = "failed"


_WORST_LAST: Final = tuple(DriverState)


@dataclass(slots=True)
class SupervisedDriver:
    """A driver with its device's intake and how its runs went.

    Attributes:
        driver: the driver.
        intake: its sink.
        state: how it is doing.
        restarts: runs after the first that were needed for another reason than a device out of reach.
        failures: ends in a row for such a reason.
    """

    driver: Driver
    intake: DeviceIntake
    state: DriverState = DriverState.STARTING
    restarts: int = 0
    failures: int = 0


class Supervision:
    """A :class:`~runtime.supervisor.Service` that owns the drivers' tasks.

    Args:
        name: name in logs.
        branch_id: the branch.
        drivers: drivers with their intakes.
        gateway: the gateway's own intake, for ``driver/*``.
        outbox: where refused inputs are kept.
        refused: refused inputs waiting.
        backoff: waits between runs.
        metrics: the process's gateway metrics.
    """

    def __init__(
        self,
        branch_id: str,
        drivers: Sequence[SupervisedDriver],
        gateway: DeviceIntake,
        outbox: Outbox,
        refused: RefusedInputs,
        backoff: Backoff,
        metrics: GatewayMetrics,
    ) -> None:
        self.name = f"drivers of {branch_id}"
        self.drivers = tuple(drivers)
        self._branch_id = branch_id
        self._gateway = gateway
        self._outbox = outbox
        self._refused = refused
        self._backoff = backoff
        self._metrics = metrics

    async def start(self) -> None:
        """Report that the drivers are about to start."""
        await self._report_all()

    async def run(self) -> None:
        """Run every driver and the heartbeats until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for supervised in self.drivers:
                tasks.create_task(self._supervise(supervised), name=f"driver of {supervised.intake.device_id}")
            tasks.create_task(self._beat(), name=f"heartbeats of {self._branch_id}")

    async def stop(self) -> None:
        """Report what was held back; drivers have ended."""
        for supervised in self.drivers:
            supervised.state = DriverState.STOPPED
            await supervised.intake.drain()
        await self._report_all()
        await self._refused.flush(self._outbox)

    # -- one driver --------------------------------------------------------------------------------------------------

    async def _supervise(self, supervised: SupervisedDriver) -> None:
        def on_restart(_reason: Restart, _delay_s: float) -> None:
            self._metrics.driver_retries.labels(self._branch_id, supervised.driver.protocol).inc()

        await retry_forever(
            f"driver of {supervised.intake.device_id}",
            lambda: self._attempt(supervised),
            self._backoff,
            on_restart=on_restart,
        )

    async def _attempt(self, supervised: SupervisedDriver) -> None:
        async def on_first_word() -> None:
            supervised.failures = 0
            await self._change(supervised, DriverState.RUNNING)

        intake = supervised.intake
        intake.began(on_first_word)
        try:
            await supervised.driver.run(intake)
        except Exception as error:  # whatever ended the driver is noted, then raised for the retry
            intake.ended()  # before the note, so that no heartbeat speaks for a device nobody reads
            await self._note_end(supervised, error)
            raise
        finally:
            intake.ended()
        await self._note_end(supervised, None)

    async def _note_end(self, supervised: SupervisedDriver, error: Exception | None) -> None:
        intake = supervised.intake
        if isinstance(error, DeviceUnreachable):
            await intake.link_down()
        elif not isinstance(error, DependencyUnavailable):  # the outbox fails every driver; that is no driver's fault
            supervised.restarts += 1
            supervised.failures += 1
        if error is not None and not isinstance(error, (DeviceError, DependencyUnavailable)):
            _log.error("driver broke", device_id=intake.device_id, reason=reason_of(error), exc_info=error)
        failed = supervised.failures >= FAILED_AFTER
        await self._change(supervised, DriverState.FAILED if failed else DriverState.BACKOFF)

    # -- what the gateway says about its drivers ---------------------------------------------------------------------

    async def _change(self, supervised: SupervisedDriver, state: DriverState) -> None:
        """Change a driver's state and report it; where the outbox fails, the next look at health reports it."""
        if supervised.state is state:
            return
        supervised.state = state
        try:
            await self._gateway.observe(self.observations(supervised.driver.protocol))
        except DependencyUnavailable as error:
            _log.error("driver state waits for the outbox", branch_id=self._branch_id, error=str(error))

    async def _report_all(self) -> None:
        for protocol in sorted({supervised.driver.protocol for supervised in self.drivers}):
            await self._gateway.observe(self.observations(protocol))

    def observations(self, protocol: str) -> list[Observation]:
        """What the gateway can say about the drivers of one protocol: the worst state, the sums."""
        mine = [supervised for supervised in self.drivers if supervised.driver.protocol == protocol]
        worst = max((supervised.state for supervised in mine), key=_WORST_LAST.index)
        return [
            Observation(f"driver/{protocol}/state", worst.value),
            Observation(f"driver/{protocol}/restarts", sum(supervised.restarts for supervised in mine)),
            Observation(f"driver/{protocol}/readings", sum(supervised.intake.taken for supervised in mine)),
            Observation(f"driver/{protocol}/refused", sum(supervised.intake.refused for supervised in mine)),
        ]

    def all_observations(self) -> list[Observation]:
        """The same for every protocol, with how many devices are reachable."""
        out = [
            Observation("devices/expected", len(self.drivers)),
            Observation("devices/reachable", sum(supervised.intake.is_reachable for supervised in self.drivers)),
        ]
        for protocol in sorted({supervised.driver.protocol for supervised in self.drivers}):
            out.extend(self.observations(protocol))
        return out

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            try:
                for intake in (*(supervised.intake for supervised in self.drivers), self._gateway):
                    await intake.beat()
                await self._refused.flush(self._outbox)
            except DependencyUnavailable as error:
                _log.error("heartbeats wait for the outbox", branch_id=self._branch_id, error=str(error))
