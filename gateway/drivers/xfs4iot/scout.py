"""Looks for a machine's service publishers on an address, and asks each service what it is. Sends what the driver sends."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from contracts.devices import ATM, SELF_SERVICE_TERMINAL
from contracts.errors import DeviceError
from gateway.discovery import web
from gateway.discovery.sighting import Look, Manner, Sighting
from gateway.discovery.target import TCP_PORTS, TLS_PORTS, Target, bracketed, on_ports
from gateway.drivers.xfs4iot.client import connect, open_session
from gateway.drivers.xfs4iot.discovery import PUBLISHER_PATH, Found, discover, name_of
from gateway.drivers.xfs4iot.envelope import Command, Message
from gateway.drivers.xfs4iot.profile import COMPONENT_ORDER, Profile, read_capabilities
from gateway.drivers.xfs4iot.settings import PUBLISHER_PORTS, Settings

PORTS: Final = (80, 443, *PUBLISHER_PORTS)

_SERVICES_AT_ONCE: Final = 8
_CASH: Final = frozenset({"cdm", "cim"})


@dataclass(slots=True)
class _Publisher:
    """A service publisher that answered.

    Attributes:
        settings: how it was reached.
        port: where.
        found: what it lists.
        profiles: what its services say they are, by name.
        silent: how many did not say.
    """

    settings: Settings
    port: int
    found: Found
    profiles: dict[str, Profile] = field(default_factory=dict)
    silent: int = 0


async def look(target: Target, open_ports: Sequence[int], manner: Manner) -> Look:
    """Ask every likely port for a service publisher, over TLS and without, and every service for its capabilities."""
    ports = [port for port in open_ports if port in PORTS or port not in TCP_PORTS or len(target.tcp_ports) == 1]
    tried = on_ports("XFS4IoT", ports)
    async with open_session(web.trusting_anybody()) as http:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_publisher(http, target.host, port, manner)) for port in ports]
        publishers = [publisher for task in tasks if (publisher := task.result()) is not None]
        if not publishers:
            return Look(tried)
        async with asyncio.TaskGroup() as group:
            for publisher in publishers:
                group.create_task(_question(http, publisher))
    trusted = True
    async with web.open_session() as session:
        for publisher in publishers:
            if publisher.settings.tls:
                url = f"https://{bracketed(target.host)}:{publisher.port}{PUBLISHER_PATH}"
                trusted = trusted and await web.is_trusted(session, url, manner.wait_s)
    return Look(tried, (_sighting(target.host, publishers, trusted=trusted),))


async def _publisher(http: aiohttp.ClientSession, host: str, port: int, manner: Manner) -> _Publisher | None:
    """The publisher at a port, ``None`` where there is none; one that answers over TLS is asked over TLS."""
    for tls in (True, False):
        if port == (80 if tls else 443) or (not tls and port in TLS_PORTS):
            continue
        settings = Settings(
            host=host, ports=(port,), tls=tls, connect_timeout_s=manner.wait_s, reply_timeout_s=manner.wait_s
        )
        try:
            return _Publisher(settings, port, await discover(http, settings, _ignore))
        except DeviceError:
            continue
    return None


async def _question(http: aiohttp.ClientSession, publisher: _Publisher) -> None:
    """Ask every service of a publisher what it is."""
    turns = asyncio.Semaphore(_SERVICES_AT_ONCE)

    async def ask(address: str) -> None:
        async with turns:
            try:
                async with connect(http, address, publisher.settings, _pass, _ignore) as connection:
                    connection.major = publisher.found.major
                    said = await connection.request(Command.CAPABILITIES)
            except DeviceError:
                publisher.silent += 1
            else:
                publisher.profiles[name_of(address)] = read_capabilities(said.payload, [])

    async with asyncio.TaskGroup() as group:
        for address in publisher.found.addresses:
            group.create_task(ask(address))


def _sighting(host: str, publishers: Sequence[_Publisher], *, trusted: bool) -> Sighting:
    profiles = {name: profile for publisher in publishers for name, profile in publisher.profiles.items()}
    components = {component for profile in profiles.values() for component in profile.components}
    tls = any(publisher.settings.tls for publisher in publishers)
    ports = [publisher.port for publisher in publishers if publisher.settings.tls == tls]
    section: dict[str, Any] = {"host": host}
    if not set(ports) <= {443 if tls else 80, *PUBLISHER_PORTS}:
        section["ports"] = ports
    if not tls:
        section["tls"] = False
    fill_in = [] if trusted else ["tls_ca: /path/to/authority.pem  # its certificate is not trusted yet 证书尚不受信任"]
    if not tls:
        fill_in.append("tls: true  # it speaks without TLS; switch TLS on at the machine 建议在设备上启用 TLS")
    readers = sorted(name for name, profile in profiles.items() if "idc" in profile.components)
    if len(readers) > 1:
        fill_in.append(
            f"components: {{{readers[-1]}: idr}}  # if it reads identity cards 若为身份证读卡器: {', '.join(readers)}"
        )
    silent = sum(publisher.silent for publisher in publishers)
    kind = ATM if components & _CASH else SELF_SERVICE_TERMINAL
    parts = [
        "XFS4IoT",
        _maker_and_model(publishers, profiles),
        f"modules 模块: {' '.join(item for item in COMPONENT_ORDER if item in components)}"
        if components
        else "no service told what it is; check the kind 服务未说明类型，请确认 kind",
        f"{silent} services did not answer 个服务未应答" if silent else "",
    ]
    return Sighting("xfs", kind.name, "; ".join(part for part in parts if part), section, fill_in)


def _maker_and_model(publishers: Sequence[_Publisher], profiles: Mapping[str, Profile]) -> str:
    vendor = next((publisher.found.vendor for publisher in publishers if publisher.found.vendor), "")
    leading = min(
        (profile for profile in profiles.values() if profile.components and profile.identity.model),
        key=lambda profile: COMPONENT_ORDER.index(profile.components[0]),
        default=None,
    )
    if leading is None:
        return vendor
    serial = f"serial {leading.identity.serial}" if leading.identity.serial else ""
    return " ".join(part for part in (vendor, leading.identity.model, serial) if part)


async def _pass(_message: Message) -> None:
    """Events are of no interest here."""


def _ignore(_raw: str | bytes, _error: DeviceError) -> None:
    """What breaks the protocol is the driver's to count."""
