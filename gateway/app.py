"""One gateway, composed: outbox, uplink, health and drivers of one branch.

Nothing here is global, so several gateways can live in one process; they share only the metrics they are given.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from structlog.contextvars import bound_contextvars

from contracts.errors import DependencyUnavailable
from contracts.gateway_messages import Inventory
from gateway.changes import check_reloadable
from gateway.connection import Connection
from gateway.devices import Devices
from gateway.driver import Observation
from gateway.drivers.registry import DRIVERS, DriverType
from gateway.health import EVENT, Health
from gateway.metrics import GatewayMetrics
from gateway.metrics_server import MetricsServer
from gateway.outbox.outbox import Outbox
from gateway.refused import RefusedInputs
from gateway.settings import GatewaySettings
from gateway.supervision import SupervisedDevice, Supervision
from gateway.uplink import Uplink
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.mqtt import MqttClient
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
        self._release = gateway_version()
        self.outbox = Outbox(
            settings.outbox_path,
            settings.branch_id,
            settings.outbox,
            clock,
            metrics,
            pack_readings=settings.uplink.max_readings,
        )
        refused = RefusedInputs()
        self._devices = Devices(self.outbox, refused, clock, metrics, drivers, self._tell_inventory)
        self._refused = refused
        self._by_id: dict[str, SupervisedDevice] = {}
        self._parts: _Parts | None = None
        self._begun: list[Service] = []
        self._group: asyncio.TaskGroup | None = None
        self._uplink_task: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()

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
        """Open the outbox, make the devices and start every part.

        Raises:
            ConfigurationError: a driver does not exist, or the outbox is another branch's.
            DependencyUnavailable: the outbox cannot be opened or written.
        """
        try:
            await self._begin(self.outbox)
            parts = self._parts = await self._compose()
            for part in (parts.uplink, parts.health, parts.supervision):
                await self._begin(part)
        except BaseException:
            await self.stop()
            raise

    async def _begin(self, part: Service) -> None:
        self._begun.append(part)
        await part.start()

    async def run(self) -> None:
        """Work until cancelled."""
        with bound_contextvars(branch_id=self.settings.branch_id):
            async with asyncio.TaskGroup() as group:
                self._group, parts = group, self._composed
                for part in (self.outbox, parts.health, parts.supervision):
                    group.create_task(part.run(), name=part.name)
                self._uplink_task = group.create_task(parts.uplink.run(), name=parts.uplink.name)

    async def stop(self) -> None:
        """Stop in order: drivers, health, uplink, outbox. What cannot be finished is logged and stays in the outbox."""
        while self._begun:
            part = self._begun.pop()
            try:
                await part.stop()
            except DependencyUnavailable as error:
                _log.error("gateway part did not stop cleanly", part=part.name, error=str(error))

    # -- new settings ------------------------------------------------------------------------------------------------

    async def reload(self, settings: GatewaySettings) -> None:
        """Take over new settings while running; devices that did not change are read on, and no reading is lost.

        What went before is reported, stored and sent: the drivers of a device that changed or went end in order first, and
        a new uplink finds in the outbox what the old one had not sent.

        Raises:
            ConfigurationError: something changed that needs a restart, or a device cannot be made; nothing was changed.
            DependencyUnavailable: the outbox cannot be written; reload again, what was taken over by then stays.
        """
        async with self._reloading:
            parts = self._composed
            check_reloadable(self.settings, settings)
            old = {device.id: device for device in self.settings.devices}
            new = {device.id: device for device in settings.devices}
            task = self._uplink_task
            redial = (settings.broker, settings.uplink) != (self.settings.broker, self.settings.uplink)
            redial = redial or (task is not None and task.done())
            if redial:  # tried first, so that a certificate that cannot be used changes nothing
                MqttClient(settings.broker, "never connected")
            anew = settings.reporting != self.settings.reporting
            gone = [key for key in old if anew or old[key] != new.get(key)]
            await self._devices.recall()
            made = {key: self._devices.device(settings, new[key]) for key in new if key in gone or key not in old}
            await parts.supervision.replace([self._by_id[key] for key in gone], made.values())
            kept = {key: device for key, device in self._by_id.items() if key not in gone}
            self._by_id = {key: made.get(key) or kept[key] for key in new}
            self.settings = settings
            self.outbox.change(settings.outbox, settings.uplink.max_readings)
            parts.supervision.backoff = _backoff(settings)
            parts.health.every_s = settings.health_s
            if redial:
                await self._redial(parts)
            self._tell_inventory()
            await parts.own.observe([Observation(EVENT, f"settings reloaded: {len(made)} begun, {len(gone)} ended")])

    async def _redial(self, parts: "_Parts") -> None:
        """Replace the uplink; the outbox keeps what is under way."""
        if self._uplink_task is not None:
            self._uplink_task.cancel()
            await asyncio.wait([self._uplink_task])
        place = self._begun.index(parts.uplink)
        await parts.uplink.stop()
        self._begun[place] = parts.uplink = parts.health.uplink = self._make_uplink()
        await parts.uplink.start()
        if self._group is not None:
            self._uplink_task = self._group.create_task(parts.uplink.run(), name=parts.uplink.name)

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _compose(self) -> "_Parts":
        settings, branch_id = self.settings, self.settings.branch_id
        await self._devices.recall()
        self._by_id = {device.id: self._devices.device(settings, device) for device in settings.devices}
        own = self._devices.gateway(settings, self._release)
        supervision = Supervision(
            branch_id, list(self._by_id.values()), own, self.outbox, self._refused, _backoff(settings), self._metrics
        )
        uplink = self._make_uplink()
        health = Health(
            branch_id,
            self._release,
            own,
            self.outbox,
            uplink,
            supervision,
            self._clock,
            self._metrics,
            settings.health_s,
            watch_host=settings.watch_host,
        )
        return _Parts(own, uplink, health, supervision)

    @property
    def _composed(self) -> "_Parts":
        if self._parts is None:
            raise RuntimeError(f"{self.name} has not started")
        return self._parts

    def _make_uplink(self) -> Uplink:
        return Uplink(
            self.settings.branch_id,
            self._release,
            self.settings.uplink,
            self.settings.broker,
            self.outbox,
            self._clock,
            self._metrics,
            inventory=self.inventory,
            snapshot=self._snapshot,
        )

    def inventory(self) -> Inventory:
        """The devices behind the gateway as they are known now, the gateway first."""
        entries = [self._composed.own.intake.entry, *(device.intake.entry for device in self._by_id.values())]
        return Inventory(branch_id=self.settings.branch_id, devices=tuple(entries))

    def _tell_inventory(self) -> None:
        if self._parts is not None:
            self._parts.uplink.inventory_changed()

    async def _snapshot(self) -> None:
        await self._composed.own.snapshot()
        for device in tuple(self._by_id.values()):
            await device.snapshot()


def _backoff(settings: GatewaySettings) -> Backoff:
    return Backoff(settings.retry.first_s, settings.retry.most_s)


@dataclass(slots=True)
class _Parts:
    """What a started gateway consists of beside its outbox and devices; the uplink can be replaced."""

    own: Connection
    uplink: Uplink
    health: Health
    supervision: Supervision


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
