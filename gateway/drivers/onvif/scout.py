"""Looks for a camera on an address: WS-Discovery, then the one question that every camera answers to anybody, its time."""

import asyncio
import contextlib
import fcntl
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

import aiohttp

from contracts.devices import CAMERA
from contracts.errors import DeviceUnreachable
from gateway.discovery import web
from gateway.discovery.sighting import Look, Manner, Sighting
from gateway.discovery.target import TCP_PORTS, TLS_PORTS, WS_DISCOVERY_PORT, Target, bracketed, on_ports
from gateway.drivers.onvif.probe import GROUP, PORTS_MOST, Match, probe, read_match
from gateway.drivers.onvif.soap_answer import AnswerGate, UnfitAnswer

PORTS: Final = (80, 8080, 8000, 8899, 2020, 443, 8443)

_SERVICE: Final = "/onvif/device_service"
_OPERATION: Final = "GetSystemDateAndTime"
_QUESTION: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    b'<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
)
_HEADERS: Final = {
    "Content-Type": 'application/soap+xml; charset=utf-8; action="http://www.onvif.org/ver10/device/wsdl/GetSystemDateAndTime"'
}
_LOCKED: Final = frozenset({401, 403})
_PROBES: Final = 2
"""Times a question is asked: datagrams get lost."""
_DATAGRAM_WAIT_S: Final = 2.0
_INTERFACES_MOST: Final = 16
_SIOCGIFADDR: Final = 0x8915
"""Source: netdevice(7)."""


class _Answer(Enum):
    """What a port made of the question."""

    TIME = auto()
    LOCKED = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class _Way:
    """A port, and whether it is asked over TLS."""

    port: int
    tls: bool


class _Ear(asyncio.DatagramProtocol):
    """Keeps what each address answers; a router may speak for several cameras. At most ``most`` addresses."""

    def __init__(self, most: int, expected: str | None) -> None:
        self.matches: dict[str, Match] = {}
        self.errors = 0
        self.heard = asyncio.Event()
        self._most = most
        self._expected = expected

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        host = str(addr[0])
        known = self.matches.get(host)
        if self._expected not in {None, host} or (known is None and len(self.matches) >= self._most):
            return
        match = read_match(data)
        if match is None:
            return
        if known is not None:
            match = replace(known, ports=tuple(dict.fromkeys((*known.ports, *match.ports)))[:PORTS_MOST])
        self.matches[host] = match
        self.heard.set()

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002  (the signature is asyncio's)
        self.errors += 1


async def look(target: Target, open_ports: Sequence[int], manner: Manner) -> Look:
    """Ask for a camera by datagram, and every likely open port for its time."""
    match: Match | None = None
    tried = []
    if target.discovery_port is not None:
        tried.append(f"WS-Discovery on UDP port {target.discovery_port}")
        match = await _ask_one(target.host, target.discovery_port, manner.wait_s)
    told = dict(match.ports) if match is not None else {}
    own = [port for port in open_ports if port not in TCP_PORTS or len(target.tcp_ports) == 1]
    ports = list(dict.fromkeys((*told, *own, *(port for port in PORTS if port in open_ports))))
    tried.append(on_ports("ONVIF", ports))
    said = "; ".join(text for text in tried if text)
    ways = [_Way(port, told.get(port, port in TLS_PORTS)) for port in ports]
    async with web.open_session() as session, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ask_time(session, target.host, way, manner.wait_s)) for way in ways]
    answers = {way: task.result() for way, task in zip(ways, tasks, strict=True)}
    sure = [way for way, answer in answers.items() if answer is _Answer.TIME]
    locked = [way for way, answer in answers.items() if answer is _Answer.LOCKED]
    if sure or (locked and match is not None):
        return Look(said, (_sighting(target.host, match, sure or locked, manner),))
    remarks = [f"port {way.port} asks for a user where cameras have ONVIF 端口要求登录，可能是摄像机" for way in locked]
    if match is not None:
        remarks.append(
            f"says by WS-Discovery that it is a camera ({match.name or match.hardware}), but does not serve ONVIF"
        )
    return Look(said, (), remarks)


def _sighting(host: str, match: Match | None, ways: Sequence[_Way], manner: Manner) -> Sighting:
    way = next((way for way in ways if not way.tls), ways[0])
    others = [str(other.port) for other in ways if other != way]
    section: dict[str, Any] = {"host": host, "port": way.port}
    fill_in = [
        f"username: {manner.username or 'operator'}  # a user that may view is enough 只读用户即可",
        "password: fill in  # the camera's own 请填写摄像机密码",
    ]
    if way.tls:
        section["tls"] = True
        fill_in.append(
            "tls_ca: /path/to/authority.pem  # where the system does not trust its certificate 证书不受信任时"
        )
    parts = [
        "ONVIF",
        *((match.name, match.hardware) if match is not None else ()),
        f"also on port 其他端口 {', '.join(others)}" if others else "",
    ]
    return Sighting("onvif", CAMERA.name, "; ".join(part for part in parts if part), section, fill_in)


def own_addresses() -> list[str]:
    """IPv4 addresses of this computer's network ports."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex()[:_INTERFACES_MOST]:
            with contextlib.suppress(OSError):  # no address
                request = struct.pack("256s", name.encode()[:15])
                found.append(socket.inet_ntoa(fcntl.ioctl(any_socket, _SIOCGIFADDR, request)[20:24]))
    return found


async def ask_everybody(ask_from: Sequence[str], wait_s: float, most: int) -> dict[str, Match]:
    """Ask all cameras of the networks this computer is in.

    Args:
        ask_from: its own addresses in those networks.
        wait_s: how long answers are awaited.
        most: addresses taken at most.

    Returns:
        Answers by the address they came from.

    Raises:
        DeviceUnreachable: none of the networks takes the question.
    """
    ear = _Ear(most, None)
    with contextlib.ExitStack() as opened:
        made = [await _sender(opened, ear, socket.AF_INET, address) for address in ask_from]
        senders = [sender for sender in made if sender is not None]
        for _ in range(_PROBES):
            for sender in senders:
                sender.sendto(probe(), (GROUP, WS_DISCOVERY_PORT))
            await asyncio.sleep(wait_s / _PROBES)
    if ear.errors >= _PROBES * len(senders):
        raise DeviceUnreachable("WS-Discovery: no network takes the question for cameras; give addresses instead")
    return ear.matches


async def _ask_one(host: str, port: int, wait_s: float) -> Match | None:
    """Ask one address; whoever answers from another one is not heard."""
    with contextlib.ExitStack() as opened:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError:
            return None
        family, _, _, _, address = found[0]
        ear = _Ear(1, str(address[0]))
        sender = await _sender(opened, ear, family)
        if sender is None:
            return None
        for _ in range(_PROBES):
            sender.sendto(probe(), address)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, _DATAGRAM_WAIT_S) / _PROBES):
                    await ear.heard.wait()
                break
        return next(iter(ear.matches.values()), None)


async def _sender(
    opened: contextlib.ExitStack, ear: _Ear, family: int, ask_from: str | None = None
) -> asyncio.DatagramTransport | None:
    """A socket that asks, one address or everybody from an address of ours; ``None`` where there is no way."""
    asking = socket.socket(family, socket.SOCK_DGRAM)
    try:
        asking.setblocking(False)
        if ask_from is not None:
            asking.bind((ask_from, 0))
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ask_from))
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: ear, sock=asking)
    except OSError:
        asking.close()
        return None
    opened.callback(transport.close)
    return transport


async def _ask_time(session: aiohttp.ClientSession, host: str, way: _Way, wait_s: float) -> _Answer:
    """Ask a port for the time of a camera."""
    url = f"{'https' if way.tls else 'http'}://{bracketed(host)}:{way.port}{_SERVICE}"
    try:
        answer = await web.ask(session, url, wait_s, _QUESTION, _HEADERS)
        if answer.status in _LOCKED:
            return _Answer.LOCKED
        AnswerGate(web.ANSWER_MOST_BYTES).pass_through(answer.body, _OPERATION)
    except (DeviceUnreachable, UnfitAnswer):
        return _Answer.NOTHING
    return _Answer.TIME
