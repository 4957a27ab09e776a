"""One gateway, composed: outbox, uplink, health and drivers of one branch.

Nothing here is global, so several gateways can live in one process; they share only the metrics they are given.
"""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

from contracts.devices import GATEWAY, KINDS
from contracts.errors import ConfigurationError, DependencyUnavailable
from contracts.gateway_messages import DeviceEntry, Inventory
from contracts.identity import GATEWAY_DEVICE, device_id
from gateway.drivers.registry import DRIVERS, DriverType
from gateway.health import Health
from gateway.intake import DeviceIntake, RefusedInputs
from gateway.metrics import GatewayMetrics
from gateway.metrics_server import MetricsServer
from gateway.outbox.outbox import Outbox
from gateway.reporting import with_reporting
from gateway.settings import DeviceSettings, GatewaySettings
from gateway.supervision import SupervisedDriver, Supervision
from gateway.uplink import Uplink
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.supervisor import Backoff, Service, Supervisor

_log = get_logger(__name__)


def gateway_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("branchwatch")
    except PackageNotFoundError:
        return "unknown"


class GatewayApp:
    """A gateway as its settings describe it: a :class:`~runtime.supervisor.Service`.

    Args:
        settings: its settings.
        clock: time.
        metrics: shared by all gateways of the process.
        drivers: protocols by short name.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Clock,
        metrics: GatewayMetrics,
        drivers: Mapping[str, DriverType] = DRIVERS,
    ) -> None:
        self.settings = settings
        self.name = f"gateway of {settings.branch_id}"
        self._clock = clock
        self._metrics = metrics
        self._drivers = drivers
        self.outbox = Outbox(
            settings.outbox_path,
            settings.branch_id,
            settings.outbox,
            clock,
            metrics,
            pack_readings=settings.uplink.max_readings,
        )
        self._intakes: list[DeviceIntake] = []
        self._parts: tuple[Service, ...] = ()
        self._begun: list[Service] = []

    # -- life --------------------------------------------------------------------------------------------------------

    def services(self) -> list[Service]:
        """What a process's supervisor runs for this gateway, in the order of start."""
        server = self.settings.metrics
        return [self] if server is None else [MetricsServer(server, self._metrics.registry), self]

    async def run_until(self, stop: asyncio.Event, on_started: Callable[[], None] | None = None) -> None:
        """Run alone until ``stop`` is set, then stop in order.

        Args:
            stop: asks for the stop.
            on_started: called once when everything runs.

        Raises:
            ConfigurationError: the settings or the outbox do not fit.
            DependencyUnavailable: the outbox cannot be opened.
            BaseExceptionGroup: a part failed; the others were stopped in order first.
        """
        supervisor = Supervisor()
        for service in (*self.services(), _StopRequest(stop)):
            supervisor.add(service)
        await supervisor.run(on_started)

    async def start(self) -> None:
        """Open the outbox, compose the parts and start them.

        Raises:
            ConfigurationError: a driver does not exist, or the outbox is another branch's.
            DependencyUnavailable: the outbox cannot be opened or written.
        """
        try:
            await self._begin(self.outbox)
            self._parts = await self._compose()
            for part in self._parts:
                await self._begin(part)
        except BaseException:
            await self.stop()
            raise

    async def _begin(self, part: Service) -> None:
        self._begun.append(part)
        await part.start()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for part in (self.outbox, *self._parts):
                tasks.create_task(part.run(), name=part.name)

    async def stop(self) -> None:
        """Stop in order: drivers, health, uplink, outbox. What cannot be finished is logged and stays in the outbox."""
        while self._begun:
            part = self._begun.pop()
            try:
                await part.stop()
            except DependencyUnavailable as error:
                _log.error("gateway part did not stop cleanly", part=part.name, error=str(error))

    # -- composition -------------------------------------------------------------------------------------------------

    async def _compose(self) -> tuple[Service, ...]:
        settings = self.settings
        floor_ms = (await self.outbox.statistics()).newest_ms
        known = await self.outbox.identities()
        refused = RefusedInputs()
        release = gateway_version()
        uplink = Uplink(
            settings.branch_id,
            release,
            settings.uplink,
            settings.broker,
            self.outbox,
            self._clock,
            self._metrics,
            inventory=self.inventory,
            snapshot=self._snapshot,
        )

        def intake(entry: DeviceEntry) -> DeviceIntake:
            return DeviceIntake(
                settings.branch_id,
                entry,
                with_reporting(KINDS[entry.kind], settings.reporting),
                self.outbox,
                refused,
                self._clock,
                self._metrics,
                floor_ms=floor_ms,
                known=known.get(device_id(settings.branch_id, entry.id)),
                on_identity=uplink.inventory_changed,
            )

        own = intake(
            DeviceEntry(id=GATEWAY_DEVICE, kind=GATEWAY.name, driver="gateway", maker="Branchwatch", firmware=release)
        )
        supervised = [self._supervised(device, intake(_entry(device))) for device in settings.devices]
        self._intakes = [own, *(item.intake for item in supervised)]
        backoff = Backoff(settings.retry.first_s, settings.retry.most_s)
        supervision = Supervision(settings.branch_id, supervised, own, self.outbox, refused, backoff, self._metrics)
        health = Health(
            settings.branch_id,
            release,
            own,
            self.outbox,
            uplink,
            supervision,
            self._clock,
            self._metrics,
            settings.health_s,
            watch_host=settings.watch_host,
        )
        return uplink, health, supervision

    def inventory(self) -> Inventory:
        """The devices behind the gateway as they are known now, the gateway first."""
        return Inventory(branch_id=self.settings.branch_id, devices=tuple(intake.entry for intake in self._intakes))

    def _supervised(self, device: DeviceSettings, intake: DeviceIntake) -> SupervisedDriver:
        type_ = self._drivers.get(device.driver)
        if type_ is None:
            raise ConfigurationError(
                f"device {device.id!r}: driver {device.driver!r}, expected one of {', '.join(self._drivers)}"
            )
        try:
            driver = type_.create(device.connection, KINDS[device.kind], self._clock)
        except ConfigurationError as error:
            raise ConfigurationError(f"device {device.id!r}: {error}") from error
        return SupervisedDriver(driver, intake)

    async def _snapshot(self) -> None:
        for intake in self._intakes:
            await intake.snapshot()


def _entry(device: DeviceSettings) -> DeviceEntry:
    return DeviceEntry(
        id=device.id,
        kind=device.kind,
        driver=device.driver,
        name=device.name,
        maker=device.maker,
        model=device.model,
        serial=device.serial,
        firmware=device.firmware,
    )


class _StopRequest:
    """A service that ends, and with it everything beside it, when an event is set."""

    name = "stop request"

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    async def start(self) -> None:
        """Nothing to prepare."""

    async def run(self) -> None:
        """Wait for the event."""
        await self._stop.wait()

    async def stop(self) -> None:
        """Nothing to let go."""
