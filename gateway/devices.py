"""Makes what reads a device from its settings: the intake, a driver for each connection, and their sinks."""

from collections.abc import Callable, Mapping

from contracts.devices import GATEWAY, KINDS
from contracts.errors import ConfigurationError
from contracts.gateway_messages import DeviceEntry
from contracts.identity import GATEWAY_DEVICE, device_id
from gateway.connection import Connection
from gateway.driver import Identity
from gateway.drivers.registry import DriverType, driver_of
from gateway.intake import DeviceIntake
from gateway.links import Links
from gateway.metrics import GatewayMetrics
from gateway.outbox.outbox import Outbox
from gateway.refused import RefusedInputs
from gateway.reporting import with_reporting
from gateway.settings import DeviceSettings, GatewaySettings
from gateway.supervision import SupervisedDevice, SupervisedDriver
from runtime.clock import Clock


class Devices:
    """Makes the devices of one gateway.

    Args:
        outbox: where their readings are stored, started.
        refused: where refused inputs go.
        clock: time.
        metrics: the process's gateway metrics.
        drivers: protocols by short name.
        on_identity: called when an inventory entry changed.
    """

    def __init__(
        self,
        outbox: Outbox,
        refused: RefusedInputs,
        clock: Clock,
        metrics: GatewayMetrics,
        drivers: Mapping[str, DriverType],
        on_identity: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._refused = refused
        self._clock = clock
        self._metrics = metrics
        self._drivers = drivers
        self._on_identity = on_identity
        self._floor_ms = 0
        self._known: dict[str, Identity] = {}

    async def recall(self) -> None:
        """Look up what is remembered of all devices: their identities, and the newest time given to a reading.

        Raises:
            DependencyUnavailable: the outbox cannot be read.
        """
        self._floor_ms = (await self._outbox.statistics()).newest_ms
        self._known = await self._outbox.identities()

    def gateway(self, settings: GatewaySettings, release: str) -> Connection:
        """The gateway's own way to say how it is."""
        entry = DeviceEntry(
            id=GATEWAY_DEVICE, kind=GATEWAY.name, driver="gateway", maker="Branchwatch", firmware=release
        )
        intake = self._intake(settings, entry)
        return Connection(intake, "gateway", Links(), self._refused, self._clock, self._metrics, holds=True)

    def device(self, settings: GatewaySettings, device: DeviceSettings) -> SupervisedDevice:
        """A device with its drivers, which do not run yet.

        Raises:
            ConfigurationError: a driver does not exist or cannot be made from its settings.
        """
        entry = DeviceEntry(
            id=device.id,
            kind=device.kind,
            driver=device.driver,
            name=device.name,
            maker=device.maker,
            model=device.model,
            serial=device.serial,
            firmware=device.firmware,
        )
        intake, links = self._intake(settings, entry), Links()
        made: list[SupervisedDriver] = []
        for connection in device.all_connections:
            name = driver_of(connection)
            type_ = self._drivers.get(name)
            if type_ is None:
                raise ConfigurationError(
                    f"device {device.id!r}: driver {name!r}, expected one of {', '.join(self._drivers)}"
                )
            try:
                driver = type_.create(connection, KINDS[device.kind], self._clock)
            except ConfigurationError as error:
                raise ConfigurationError(f"device {device.id!r}: {error}") from error
            sink = Connection(
                intake,
                name,
                links,
                self._refused,
                self._clock,
                self._metrics,
                leads=not made,
                holds=not type_.answers,
            )
            made.append(SupervisedDriver(driver, sink))
        return SupervisedDevice(intake, tuple(made))

    def _intake(self, settings: GatewaySettings, entry: DeviceEntry) -> DeviceIntake:
        return DeviceIntake(
            settings.branch_id,
            entry,
            with_reporting(KINDS[entry.kind], settings.reporting),
            self._outbox,
            self._clock,
            floor_ms=self._floor_ms,
            known=self._known.get(device_id(settings.branch_id, entry.id)),
            on_identity=self._on_identity,
        )
