"""Looks for a Milesight people counter on an address. It pushes by itself, so what is proposed is where it has to push to.

Source: unverified: the maker's web pages name it; nothing of the sensors' own interface is asked.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from typing import Any, Final

from contracts.devices import FOOTFALL_SENSOR
from contracts.errors import DeviceUnreachable
from gateway.discovery import web
from gateway.discovery.sighting import Look, Manner, Sighting
from gateway.discovery.target import TCP_PORTS, Target, bracketed, on_ports
from gateway.drivers.milesight.settings import Settings

PORTS: Final = (80, 443, 8080)

_MAKER: Final = re.compile(rb"milesight", re.IGNORECASE)
_COUNTER: Final = re.compile(rb"\bVS1[0-9]{2}\b|people[ _-]?count", re.IGNORECASE)


async def look(target: Target, open_ports: Sequence[int], manner: Manner) -> Look:
    """Look at the first web page of each likely port."""
    ports = [port for port in open_ports if port in PORTS or port not in TCP_PORTS or len(target.tcp_ports) == 1]
    tried = on_ports("Milesight", ports)
    async with web.open_session() as session:
        for port in ports:
            try:
                answer = await web.ask(session, f"{web.root_of(target.host, port)}/", manner.wait_s)
            except DeviceUnreachable:
                continue
            page = b" ".join((answer.server.encode(), answer.challenge.encode(), answer.body))
            if _MAKER.search(page) and _COUNTER.search(page):
                return Look(tried, (await _sighting(target.host, port),))
    return Look(tried)


async def _sighting(host: str, port: int) -> Sighting:
    ours = await _address_towards(host, port)
    own_port = int(Settings.model_fields["listen_port"].default)
    path = f"/{re.sub(r'[^A-Za-z0-9.-]', '-', host)}"
    section: dict[str, Any] = {"listen_host": ours, "listen_port": own_port, "path": path}
    fill_in = [
        f"set in the sensor as push address 在传感器中设为推送地址: http://{bracketed(ours)}:{own_port}{path}",
        "device_sn: its serial number 设备序列号",
    ]
    return Sighting("milesight", FOOTFALL_SENSOR.name, "Milesight people counter", section, fill_in, is_certain=False)


async def _address_towards(host: str, port: int) -> str:
    """This computer's address as the sensor sees it; nothing is sent."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        with socket.socket(found[0][0], socket.SOCK_DGRAM) as compass:
            compass.connect(found[0][4])
            return str(compass.getsockname()[0])
    except OSError:
        return "0.0.0.0"  # noqa: S104  (every address, for a person to narrow down)
