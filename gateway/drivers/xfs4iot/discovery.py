"""Finding the services of a machine: all likely ports at once, then the list each service publisher gives."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from contracts.errors import DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from gateway.drivers.xfs4iot.client import FormNotUnderstood, NoReply, Refuse, connect
from gateway.drivers.xfs4iot.envelope import OLD_MAJOR, Command, Message
from gateway.drivers.xfs4iot.properties import Complaints, sections, text
from gateway.drivers.xfs4iot.settings import Settings

PUBLISHER_PATH: Final = "/xfs4iot/v1.0"
SERVICES_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What the service publishers of a machine say.

    Attributes:
        vendor: who made the publisher, empty where it does not say.
        services: service name → address to connect to.
        major: message major that the publishers understand.
    """

    vendor: str
    services: Mapping[str, str]
    major: int


async def discover(http: aiohttp.ClientSession, settings: Settings, refuse: Refuse) -> Found:
    """Ask every port for a service publisher and every publisher for its services.

    Raises:
        DeviceUnreachable: no publisher answered; says what each port did.
    """
    ports = settings.publisher_ports()
    patience = settings.model_copy(
        update={"reply_timeout_s": min(settings.reply_timeout_s, settings.connect_timeout_s)}
    )
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_ask(http, patience, port, refuse)) for port in ports]
    answers = [task.result() for task in asked]
    found = [answer for answer in answers if isinstance(answer, Found)]
    if not found:
        failures = "; ".join(sorted({answer for answer in answers if isinstance(answer, str)})[:4])
        raise DeviceUnreachable(
            f"{settings.host}: no service publisher on ports {', '.join(map(str, ports))} "
            f"({'wss' if settings.tls else 'ws'}): {failures}; check host, ports and tls of the device"
        )
    services: dict[str, str] = {}
    for answer in found:
        services.update(answer.services)
    if not services:
        raise DeviceUnreachable(
            f"{settings.host}: the service publisher lists no usable services; start them on the machine"
        )
    return Found(
        vendor=next((answer.vendor for answer in found if answer.vendor), ""),
        services=dict(sorted(services.items())[:SERVICES_MOST]),
        major=min(answer.major for answer in found),
    )


async def _ask(http: aiohttp.ClientSession, settings: Settings, port: int, refuse: Refuse) -> Found | str:
    """Services a publisher lists, or why there is none at the port."""
    scheme = "wss" if settings.tls else "ws"
    url = f"{scheme}://{_host(settings.host)}:{port}{PUBLISHER_PATH}"
    vendor = ""
    uris: list[str] = []

    async def take(message: Message) -> None:
        nonlocal vendor
        if message.short_name in {"servicedetail", "getservices"}:
            complaints: Complaints = []
            vendor = vendor or text(message.payload, "vendorName")
            uris.extend(text(item, "serviceURI", 1024) for item in sections(message.payload, "services", complaints))
            if complaints:
                refuse(message.raw, DeviceMisbehaved("; ".join(complaints)))

    for major in (2, OLD_MAJOR):
        try:
            async with connect(http, url, settings, take, refuse) as connection:
                connection.major = major
                await take(await connection.request(Command.GET_SERVICES))
                return Found(vendor, _addresses(uris, port, settings, refuse), connection.major)
        except (FormNotUnderstood, NoReply) as error:
            if major == OLD_MAJOR:
                return str(error)
        except (DeviceUnreachable, DeviceRefused) as error:
            return str(error)
    raise AssertionError("the loop returns at its last major")


def _addresses(uris: list[str], publisher_port: int, settings: Settings, refuse: Refuse) -> Mapping[str, str]:
    """Service name → address on the configured host.

    A publisher often names the machine as the machine names itself, and a hostile one could name any host of the branch
    network; so only port and path of what it says are used.
    """
    addresses: dict[str, str] = {}
    for uri in dict.fromkeys(uris[: 4 * SERVICES_MOST]):
        address = _address(uri, publisher_port, settings)
        if isinstance(address, str):
            name = address.rstrip("/").rpartition("/")[2]
            if addresses.get(name, address) != address:
                name = address.partition("://")[2]
            addresses[name] = address
        else:
            refuse(uri, address)
    return addresses


def _address(uri: str, publisher_port: int, settings: Settings) -> str | DeviceMisbehaved:
    try:
        parts = urlsplit(uri)
        port = parts.port or publisher_port
    except ValueError as error:
        return DeviceMisbehaved(f"serviceURI {uri[:200]!r}: not an address: {error}")
    allowed = {"wss"} if settings.tls else {"ws", "wss"}
    if parts.scheme not in allowed or len(parts.path.strip("/")) == 0 or parts.query or parts.fragment:
        return DeviceMisbehaved(
            f"serviceURI {uri[:200]!r}: expected {' or '.join(sorted(allowed))}://host:port/xfs4iot/v1.0/name"
        )
    return f"{parts.scheme}://{_host(settings.host)}:{port}{parts.path}"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
