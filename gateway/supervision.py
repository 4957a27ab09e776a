"""Runs the drivers: again when one ends, with growing waits, and says how each protocol is doing."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from structlog.contextvars import bound_contextvars

from contracts.errors import DependencyUnavailable, DeviceError, DeviceUnreachable
from gateway.connection import Connection
from gateway.driver import Driver, Observation
from gateway.intake import DeviceIntake, reason_of
from gateway.metrics import GatewayMetrics
from gateway.outbox.outbox import Outbox
from gateway.refused import RefusedInputs
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


@dataclass(slots=True, eq=False)
class SupervisedDriver:
    """A driver with its way to the device and how its runs went.

    Attributes:
        driver: the driver.
        connection: its sink.
        state: how it is doing.
        restarts: runs after the first that were needed for another reason than a device out of reach.
        failures: ends in a row for such a reason.
    """

    driver: Driver
    connection: Connection
    state: DriverState = DriverState.STARTING
    restarts: int = 0
    failures: int = 0


@dataclass(slots=True, eq=False)
class SupervisedDevice:
    """A device and the drivers that read it, one for each of its connections."""

    intake: DeviceIntake
    drivers: tuple[SupervisedDriver, ...]
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def is_reachable(self) -> bool:
        """Whether any driver reaches it."""
        return any(supervised.connection.is_reachable for supervised in self.drivers)

    async def beat(self) -> None:
        """Hand over what had to wait, and report what is due by the passing of time."""
        for supervised in self.drivers:
            await supervised.connection.release()
        await self.intake.beat(reachable=self.is_reachable, is_current=self._is_current)

    async def snapshot(self) -> None:
        """Report every value that is known to be current."""
        await self.intake.snapshot(reachable=self.is_reachable, is_current=self._is_current)

    def _is_current(self, path: str) -> bool:
        """Whether the driver that told a signal still reaches the device; the others may go on without it."""
        return all(
            supervised.connection.is_reachable for supervised in self.drivers if supervised.connection.speaks_for(path)
        )

    async def drain(self) -> None:
        """Hand over what had to wait and what was held back; drivers have ended."""
        for supervised in self.drivers:
            await supervised.connection.release()
        await self.intake.drain()
        for supervised in self.drivers:
            supervised.state = DriverState.STOPPED


class Supervision:
    """A :class:`~runtime.supervisor.Service` that owns the drivers' tasks.

    Args:
        branch_id: the branch.
        devices: devices with their drivers.
        gateway: the gateway's own intake, for ``driver/*``.
        outbox: where refused inputs are kept.
        refused: refused inputs waiting.
        backoff: waits between runs.
        metrics: the process's gateway metrics.
    """

    def __init__(
        self,
        branch_id: str,
        devices: Sequence[SupervisedDevice],
        gateway: Connection,
        outbox: Outbox,
        refused: RefusedInputs,
        backoff: Backoff,
        metrics: GatewayMetrics,
    ) -> None:
        self.name = f"drivers of {branch_id}"
        self.devices = list(devices)
        self.backoff = backoff
        self._branch_id = branch_id
        self.gateway = gateway
        self._outbox = outbox
        self._refused = refused
        self._metrics = metrics
        self._group: asyncio.TaskGroup | None = None

    async def start(self) -> None:
        """Report that the drivers are about to start."""
        await self._report(self._protocols())

    async def run(self) -> None:
        """Run every driver and the heartbeats until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for device in self.devices:
                    self._begin(device)
                group.create_task(self._beat(), name=f"heartbeats of {self._branch_id}")
        finally:
            self._group = None

    async def stop(self) -> None:
        """Report what was held back; drivers have ended."""
        failed: DependencyUnavailable | None = None
        for device in self.devices:
            try:
                await device.drain()
            except DependencyUnavailable as error:
                failed = error
        await self._report(self._protocols())
        await self._refused.flush(self._outbox)
        if failed is not None:
            raise failed

    async def replace(self, gone: Iterable[SupervisedDevice], new: Iterable[SupervisedDevice]) -> None:
        """End the drivers of some devices in order and begin those of others, while the rest run on.

        Raises:
            DependencyUnavailable: what a device had held back cannot be stored; none was replaced, and all run on.
        """
        before, ended = self._protocols(), list(gone)
        await self._end(ended)
        try:
            for device in ended:
                await device.drain()
        except DependencyUnavailable:
            for device in ended:
                self._begin(device)
            raise
        for device in ended:
            self.devices.remove(device)
        for device in new:
            self.devices.append(device)
            self._begin(device)
        await self._report(before & self._protocols())
        for protocol in sorted(before - self._protocols()):
            await self.gateway.observe([Observation(f"driver/{protocol}/state", DriverState.STOPPED.value)])

    @staticmethod
    async def _end(devices: Sequence[SupervisedDevice]) -> None:
        tasks = [task for device in devices for task in device.tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for device in devices:
            device.tasks.clear()

    # -- one driver --------------------------------------------------------------------------------------------------

    def _begin(self, device: SupervisedDevice) -> None:
        for supervised in device.drivers:
            supervised.state = DriverState.STARTING
        if self._group is not None:
            device.tasks = [
                self._group.create_task(
                    self._supervise(supervised),
                    name=f"{supervised.driver.protocol} driver of {device.intake.device_id}",
                )
                for supervised in device.drivers
            ]

    async def _supervise(self, supervised: SupervisedDriver) -> None:
        def on_restart(_reason: Restart, _delay_s: float) -> None:
            self._metrics.driver_retries.labels(self._branch_id, supervised.driver.protocol).inc()

        device_id = supervised.connection.intake.device_id
        with bound_contextvars(
            branch_id=self._branch_id, device_id=device_id, driver=supervised.driver.protocol
        ):  # the branch, too: a device that came with new settings begins outside the gateway's own task
            await retry_forever(
                f"driver of {device_id}", lambda: self._attempt(supervised), self.backoff, on_restart=on_restart
            )

    async def _attempt(self, supervised: SupervisedDriver) -> None:
        async def on_first_word() -> None:
            supervised.failures = 0
            await self._change(supervised, DriverState.RUNNING)

        connection = supervised.connection
        connection.began(on_first_word)
        try:
            await supervised.driver.run(connection)
        except Exception as error:  # whatever ended the driver is noted, then raised for the retry
            connection.ended()  # before the note, so that no heartbeat speaks for a device nobody reads
            await self._note_end(supervised, error)
            raise
        finally:
            connection.ended()
        await self._note_end(supervised, None)

    async def _note_end(self, supervised: SupervisedDriver, error: Exception | None) -> None:
        if isinstance(error, DeviceUnreachable):
            await supervised.connection.link_down()
        elif not isinstance(error, DependencyUnavailable):  # the outbox fails every driver; that is no driver's fault
            supervised.restarts += 1
            supervised.failures += 1
        if error is not None and not isinstance(error, (DeviceError, DependencyUnavailable)):
            _log.error("driver broke", reason=reason_of(error), exc_info=error)
        failed = supervised.failures >= FAILED_AFTER
        await self._change(supervised, DriverState.FAILED if failed else DriverState.BACKOFF)

    # -- what the gateway says about its drivers ---------------------------------------------------------------------

    async def _change(self, supervised: SupervisedDriver, state: DriverState) -> None:
        """Change a driver's state and report it; where the outbox fails, the next look at health reports it."""
        if supervised.state is state:
            return
        supervised.state = state
        try:
            await self.gateway.observe(self.observations(supervised.driver.protocol))
        except DependencyUnavailable as error:
            _log.error("driver state waits for the outbox", error=str(error))

    async def _report(self, protocols: Iterable[str]) -> None:
        for protocol in sorted(protocols):
            await self.gateway.observe(self.observations(protocol))

    def _drivers(self) -> list[SupervisedDriver]:
        return [supervised for device in self.devices for supervised in device.drivers]

    def _protocols(self) -> set[str]:
        return {supervised.driver.protocol for supervised in self._drivers()}

    def observations(self, protocol: str) -> list[Observation]:
        """What the gateway can say about the drivers of one protocol: the worst state, the sums."""
        mine = [supervised for supervised in self._drivers() if supervised.driver.protocol == protocol]
        worst = max((supervised.state for supervised in mine), key=_WORST_LAST.index)
        return [
            Observation(f"driver/{protocol}/state", worst.value),
            Observation(f"driver/{protocol}/restarts", sum(supervised.restarts for supervised in mine)),
            Observation(f"driver/{protocol}/readings", sum(supervised.connection.taken for supervised in mine)),
            Observation(f"driver/{protocol}/refused", sum(supervised.connection.refused for supervised in mine)),
        ]

    def all_observations(self) -> list[Observation]:
        """The same for every protocol, with how many devices are reachable."""
        out = [
            Observation("devices/expected", len(self.devices)),
            Observation("devices/reachable", sum(device.is_reachable for device in self.devices)),
        ]
        for protocol in sorted(self._protocols()):
            out.extend(self.observations(protocol))
        return out

    def overrun(self) -> int:
        """Observations lost since the start because too many waited for the outbox."""
        return sum(supervised.connection.overrun for supervised in self._drivers())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            try:
                for device in tuple(self.devices):
                    await device.beat()
                await self.gateway.beat()
                await self._refused.flush(self._outbox)
            except DependencyUnavailable as error:
                _log.error("heartbeats wait for the outbox", error=str(error))
