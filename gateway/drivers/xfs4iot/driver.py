"""The driver of one machine: finds its services, keeps a connection to each, tells how the link stands."""

import asyncio
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from contracts.errors import DeviceError, DeviceUnreachable
from contracts.signals import DeviceKind
from gateway.driver import Identity, Sink
from gateway.drivers.xfs4iot.client import connect, open_session
from gateway.drivers.xfs4iot.discovery import SERVICES_MOST, Found, discover, name_of, without_slash
from gateway.drivers.xfs4iot.machine import machine_of
from gateway.drivers.xfs4iot.profile import COMPONENT_ORDER
from gateway.drivers.xfs4iot.service import Service
from gateway.drivers.xfs4iot.settings import Settings
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.supervisor import Backoff

_log = get_logger(__name__)

_KNOWN_SERVICES_MOST: Final = 2 * SERVICES_MOST
"""Services remembered over the life of the driver, should a machine rename its own without end."""


class XfsDriver:
    """Reads one ATM or terminal over XFS4IoT, as a guest who only looks.

    Args:
        settings: where the machine is and how often to ask.
        kind: device kind, whose catalogue rows decide what is reported.
        clock: stamps what is seen.

    Raises:
        ConfigurationError: the certificate authority file cannot be read. Told here and not when it is first needed, so
            that it refuses the start of the gateway instead of being tried again for ever.
    """

    protocol = "xfs"

    def __init__(self, settings: Settings, kind: DeviceKind, clock: Clock) -> None:
        self._settings = settings
        self._tls = settings.tls_context()
        self._clock = clock
        self._backoff = Backoff(settings.retry_first_s, settings.retry_most_s)
        self._machine = machine_of(settings, kind, clock, self._look_again)
        self._claims = self._machine.claims
        self._link = self._machine.link
        self._report = self._machine.report
        self._services: dict[str, Service] = {}
        self._addresses: dict[str, str] = {}  # name → address
        self._names: dict[str, str] = {}  # address without its slash → name
        self._major = 2
        self._vendor = ""
        self._identity: Identity | None = None

    async def run(self, sink: Sink) -> None:
        """Read the machine until cancelled or until no service of it answers.

        Raises:
            DeviceUnreachable: no service publisher, or no service answers.
            DependencyUnavailable: the outbox cannot be read or written.
        """
        await self._report.open(sink)
        self._identity = None  # each run tells it once
        async with open_session(self._tls) as http:
            await self._find(http)
            self._link.begin(set(self._addresses))
            try:
                async with asyncio.TaskGroup() as tasks:
                    for name in sorted(self._addresses):
                        tasks.create_task(self._keep(http, name), name=f"xfs {self._settings.host} {name}")
                    tasks.create_task(self._tell_link(), name=f"xfs {self._settings.host} link")
                    await self._find_more(http, tasks)
            except BaseExceptionGroup as failures:
                raise _cause(failures) from failures

    async def _find(self, http: aiohttp.ClientSession) -> set[str]:
        """Ask the service publishers; returns the services that are new."""
        found = await discover(http, self._settings, self._refuse)
        self._vendor = found.vendor or self._vendor
        self._major = found.major
        known = set(self._addresses)
        names = {self._name(address, found) for address in found.addresses} - {""}
        self._link.lists(names)
        for configured in self._settings.components if not known else ():
            if not any(self._claims.is_meant(configured, name) for name in names):
                _log.warning(
                    "no service has the name in the settings, components", name=configured, services=sorted(names)
                )
        return self._addresses.keys() - known

    def _name(self, address: str, found: Found) -> str:
        """Name of the service at an address, which it keeps; empty where there are too many.

        Publishers of one machine may each have a service of the same name; the second goes by its port, too. A name whose
        address is no longer listed and does not answer has moved.
        """
        place = without_slash(address)
        name = self._names.get(place) or name_of(address)
        holder = without_slash(self._addresses.get(name, address))
        if holder != place:
            if holder in map(without_slash, found.addresses) or self._link.is_connected(name):
                name = f"{name}@{urlsplit(address).port}"
            else:
                self._names.pop(holder, None)
        if name not in self._addresses and len(self._addresses) >= _KNOWN_SERVICES_MOST:
            return ""
        self._names[place] = name
        self._addresses[name] = address
        return name

    async def _find_more(self, http: aiohttp.ClientSession, tasks: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(self._settings.discovery_s)
            try:
                new = await self._find(http)
            except DeviceUnreachable as error:  # the services have connections of their own
                _log.warning("service publisher does not answer", host=self._settings.host, error=str(error))
                continue
            for name in sorted(new):
                self._link.know(name)
                tasks.create_task(self._keep(http, name), name=f"xfs {self._settings.host} {name}")

    async def _keep(self, http: aiohttp.ClientSession, name: str) -> None:
        """Keep a service connected; ends only when no service of the machine answers."""
        service = self._service(name)
        failures = 0
        while True:
            try:
                async with connect(
                    http, self._addresses[name], self._settings, service.handle, service.refuse
                ) as connection:
                    connection.major = self._major
                    await service.introduce(connection)
                    self._link.connected(name)
                    self._settle()
                    failures = 0
                    _log.info("service connected", host=self._settings.host, service=name)
                    await self._tell_changed_link()
                    await service.watch(connection)
            except DeviceError as error:
                failures += 1
                await self._lose(name, failures, error)
            await asyncio.sleep(self._backoff.delay_s(failures))

    async def _lose(self, name: str, failures: int, error: DeviceError) -> None:
        self._link.lost(name)
        self._settle()
        if failures == 1:
            _log.warning("service lost", host=self._settings.host, service=name, error=str(error))
        await self._tell_changed_link()
        if self._link.is_gone:
            raise DeviceUnreachable(
                f"{self._settings.host}: none of {len(self._link.missing)} services answers, the last was {name}: {error}; "
                "check the line and the machine"
            ) from error

    def _service(self, name: str) -> Service:
        return self._services.setdefault(name, Service(name, self._machine))

    def _settle(self) -> None:
        if self._link.settled:
            self._claims.settle()

    def _look_again(self) -> None:
        for service in self._services.values():
            service.look_again()

    async def _identify(self) -> None:
        """Tell who the machine is: the first service by the order of components speaks for it, and then keeps that right.

        The right is kept so that a module that comes late does not look like a machine that was exchanged.
        """
        if self._claims.speaker not in self._services:
            known = [service for service in self._services.values() if service.components]
            if not known or not self._link.settled:
                return
            self._claims.speaker = min(known, key=_rank).name
        speaker = self._services[self._claims.speaker]
        identity = replace(speaker.profile.identity, maker=self._vendor)
        if identity != self._identity:
            self._identity = identity
            await self._report.identify(identity)

    async def _tell_changed_link(self) -> None:
        if self._link.settled:
            await self._report.observe(self._link.observations(self._clock.now_ms()))
            await self._identify()

    async def _tell_link(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_s)
            await self._report.observe(self._link.observations(self._clock.now_ms()))

    def _refuse(self, raw: str | bytes, error: DeviceError) -> None:
        self._link.refused()
        self._report.refuse(raw, error)


def _rank(service: Service) -> int:
    return COMPONENT_ORDER.index(next(iter(service.components), COMPONENT_ORDER[-1]))


def _cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that ended the run: what is not the device's fault goes first, so that it is not taken for it."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [failures]
    while pending:
        failure = pending.pop()
        if isinstance(failure, BaseExceptionGroup):
            pending.extend(failure.exceptions)
        else:
            leaves.append(failure)
    return next((leaf for leaf in leaves if not isinstance(leaf, DeviceError)), leaves[0])
