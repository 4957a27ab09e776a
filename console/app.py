"""The console as a server runs it: the HTTP API, the page and the live updates."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry

from console.api import (
    devices,
    faults,
    gateways,
    live,
    missing,
    openapi,
    operation,
    quarantine,
    server,
    store,
    work_orders,
)
from console.api.endpoint import AnyEndpoint
from console.api.event_stream import EventStream, ReadableLog
from console.api.operation import OperationHandlers, ReadinessCheck
from console.api.ports import Faults, Fleet, IntakeStatus, MissingReadings, Quarantine, Readings, WorkOrders
from console.settings import ConsoleSettings
from contracts.errors import ConfigurationError
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

_SHUTDOWN_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Watched:
    """The services whose state the console shows and whose commands it gives.

    Attributes:
        fleet: devices and gateways as announced.
        readings: latest readings, history and events of devices.
        missing: what gateways should have sent and did not.
        quarantine: what was refused at the intake.
        intake_status: what arrived from each gateway, and how the store stands.
        faults: faults and their acknowledgement.
        work_orders: work orders and their commands.
    """

    fleet: Fleet
    readings: Readings
    missing: MissingReadings
    quarantine: Quarantine
    intake_status: IntakeStatus
    faults: Faults
    work_orders: WorkOrders


class Console:
    """HTTP server as a :class:`runtime.supervisor.Service`."""

    name = "console"

    def __init__(
        self,
        settings: ConsoleSettings,
        watched: Watched,
        event_log: ReadableLog,
        clock: Clock,
        registry: CollectorRegistry,
        readiness: Mapping[str, ReadinessCheck],
    ) -> None:
        self._settings = settings
        self._stream = EventStream(event_log)
        own = OperationHandlers(readiness, registry)
        self.endpoints: tuple[AnyEndpoint, ...] = (
            *devices.endpoints(watched.fleet, watched.readings, watched.missing, watched.faults, clock),
            *faults.endpoints(watched.faults),
            *work_orders.endpoints(watched.work_orders),
            *quarantine.endpoints(watched.quarantine),
            *gateways.endpoints(watched.intake_status),
            *missing.endpoints(watched.missing),
            *store.endpoints(watched.intake_status),
            *live.endpoints(self._stream, settings, registry),
            *operation.endpoints(own),
        )
        own.description = openapi.document(self.endpoints)
        self._app = server.build(self.endpoints, registry)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the page is, once started: with the real port where the settings say 0."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the console has not started; ask for its url after start()")
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Open the port; returned means requests are answered.

        Raises:
            ConfigurationError: the port cannot be opened.
            DependencyUnavailable: the event log does not answer.
        """
        await self._stream.start()
        self._runner = web.AppRunner(
            self._app, handle_signals=False, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await self.stop()
            raise ConfigurationError(
                f"console: cannot listen on {self._settings.host}:{self._settings.port}: {error.strerror}; "
                "free the port or set console.port to another one"
            ) from error
        _log.info("console listens", url=self.url)

    async def run(self) -> None:
        """Follow the event log for all listeners until cancelled."""
        await self._stream.run()

    async def stop(self) -> None:
        """End the event streams, finish the requests under way, close the port."""
        await self._stream.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
