"""Finding the services of a machine: all likely ports at once, then the list each service publisher gives."""

import asyncio
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
_URIS_MOST: Final = 4 * SERVICES_MOST
_MAJORS: Final = (2, 3, OLD_MAJOR)


@dataclass(frozen=True, slots=True)
class Found:
    """What the service publishers of a machine say.

    Attributes:
        vendor: who made the publisher, empty where it does not say.
        addresses: addresses of the services to connect to, in the order of publishers and their lists.
        major: message major that the publishers understand.
    """

    vendor: str
    addresses: tuple[str, ...]
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
    addresses = {
        without_slash(address): address for answer in reversed(found) for address in reversed(answer.addresses)
    }
    if not addresses:
        raise DeviceUnreachable(
            f"{settings.host}: the service publisher lists no usable services; start them on the machine"
        )
    return Found(
        vendor=next((answer.vendor for answer in found if answer.vendor), ""),
        addresses=tuple(reversed(addresses.values()))[:SERVICES_MOST],
        major=min(answer.major for answer in found),
    )


def without_slash(address: str) -> str:
    """What is the same about both spellings of a service's address."""
    return address.rstrip("/")


def name_of(address: str) -> str:
    """Last part of a service's address: what the machine calls the service."""
    return without_slash(address).rpartition("/")[2]


async def _ask(http: aiohttp.ClientSession, settings: Settings, port: int, refuse: Refuse) -> Found | str:
    """Services a publisher lists, or why there is none at the port."""
    scheme = "wss" if settings.tls else "ws"
    url = f"{scheme}://{_host(settings.host)}:{port}{PUBLISHER_PATH}"
    vendor = refusal = ""
    is_silent = False
    uris: list[str] = []

    async def take(message: Message) -> None:
        nonlocal vendor
        if message.short_name in {"servicedetail", "getservices"}:
            complaints: Complaints = []
            vendor = vendor or text(message.payload, "vendorName")
            listed = sections(message.payload, "services", complaints)
            uris.extend(text(item, "serviceURI", 1024) for item in listed[: _URIS_MOST - len(uris)])
            if complaints:
                refuse(message.raw, DeviceMisbehaved("; ".join(complaints)))

    for major in _MAJORS:
        if is_silent and major != OLD_MAJOR:  # the same form again
            continue
        try:
            async with connect(http, url, settings, take, refuse) as connection:
                connection.major = major
                await take(await connection.request(Command.GET_SERVICES))
                return Found(vendor, _addresses(uris, port, settings, refuse), connection.major)
        except (FormNotUnderstood, NoReply) as error:
            refusal = str(error)
            is_silent = isinstance(error, NoReply)
        except (DeviceUnreachable, DeviceRefused) as error:
            return str(error)
    return refusal


def _addresses(uris: list[str], publisher_port: int, settings: Settings, refuse: Refuse) -> tuple[str, ...]:
    """Addresses on the configured host.

    A publisher often names the machine as the machine names itself, and a hostile one could name any host of the branch
    network; so only port and path of what it says are used.
    """
    addresses: dict[str, str] = {}
    for uri in dict.fromkeys(uris):
        address = _address(uri, publisher_port, settings)
        if isinstance(address, str):
            addresses.setdefault(without_slash(address), address)
        else:
            refuse(uri, address)
    return tuple(addresses.values())


def _address(uri: str, publisher_port: int, settings: Settings) -> str | DeviceMisbehaved:
    try:
        parts = urlsplit(uri)
        port = parts.port or publisher_port
    except ValueError as error:
        return DeviceMisbehaved(f"serviceURI {uri[:200]!r}: not an address: {error}")
    allowed = {"wss"} if settings.tls else {"ws", "wss"}
    if parts.scheme not in allowed or not parts.path.strip("/") or parts.query or parts.fragment:
        return DeviceMisbehaved(
            f"serviceURI {uri[:200]!r}: expected {' or '.join(sorted(allowed))}://host:port/xfs4iot/v1.0/name"
        )
    return f"{parts.scheme}://{_host(settings.host)}:{port}{parts.path}"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
