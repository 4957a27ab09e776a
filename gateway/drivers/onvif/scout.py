"""Looks for a camera on an address: WS-Discovery, then the one question that every camera answers to anybody, its time."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import aiohttp

from contracts.devices import CAMERA
from contracts.errors import DeviceUnreachable
from gateway.discovery import web
from gateway.discovery.sighting import Look, Manner, Sighting
from gateway.discovery.target import TCP_PORTS, TLS_PORTS, WS_DISCOVERY_PORT, Target, bracketed, on_ports
from gateway.drivers.onvif.probe import GROUP, Match, probe, read_match
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
    """Keeps the first answer of each address, at most ``most``."""

    def __init__(self, most: int, expected: str | None) -> None:
        self.matches: dict[str, Match] = {}
        self.heard = asyncio.Event()
        self._most = most
        self._expected = expected

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        host = str(addr[0])
        if len(self.matches) >= self._most or host in self.matches or self._expected not in {None, host}:
            return
        match = read_match(data)
        if match is not None:
            self.matches[host] = match
            self.heard.set()


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


async def ask_everybody(wait_s: float, most: int) -> dict[str, Match]:
    """Ask all cameras of the network this computer is in.

    Args:
        wait_s: how long answers are awaited.
        most: answers taken at most.

    Returns:
        Answers by the address they came from.

    Raises:
        DeviceUnreachable: this computer is in no network that takes the question.
    """
    ear = _Ear(most, None)
    with_group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with_group.setblocking(False)
    with_group.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    await _ask(ear, with_group, (GROUP, WS_DISCOVERY_PORT), wait_s, to_the_end=True)
    return ear.matches


async def _ask_one(host: str, port: int, wait_s: float) -> Match | None:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, _, _, _, address = found[0]
        ear = _Ear(1, str(address[0]))
        question = socket.socket(family, socket.SOCK_DGRAM)
        question.setblocking(False)
        await _ask(ear, question, address, min(wait_s, 2.0), to_the_end=False)
    except (OSError, DeviceUnreachable):
        return None
    return next(iter(ear.matches.values()), None)


async def _ask(ear: _Ear, opened: socket.socket, address: Any, wait_s: float, *, to_the_end: bool) -> None:
    try:
        sender, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: ear, sock=opened)
    except OSError as error:
        opened.close()
        raise DeviceUnreachable(f"WS-Discovery: {error.strerror}") from error
    over = asyncio.Event() if to_the_end else ear.heard
    try:
        for _ in range(_PROBES):
            sender.sendto(probe(), address)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s / _PROBES):
                    await over.wait()
            if over.is_set():
                return
    finally:
        sender.close()


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
