"""Looks for an Axis People Counter on an address: it asks what the driver asks, without a user."""

from collections.abc import Sequence
from typing import Any, Final

from contracts.devices import FOOTFALL_SENSOR
from contracts.errors import DeviceMisbehaved, DeviceUnreachable
from gateway.discovery import web
from gateway.discovery.sighting import Look, Manner, Sighting
from gateway.discovery.target import TCP_PORTS, TLS_PORTS, Target, on_ports
from gateway.drivers.axis.client import PATHS
from gateway.drivers.axis.driver import LIVE_SUM
from gateway.drivers.axis.live_sum import parse_live_sum

PORTS: Final = (80, 443, 8080)

_LOCKED: Final = frozenset({401, 403})


async def look(target: Target, open_ports: Sequence[int], manner: Manner) -> Look:
    """Ask each likely port for the counts of today."""
    ports = [port for port in open_ports if port in PORTS or port not in TCP_PORTS or len(target.tcp_ports) == 1]
    tried = on_ports("Axis People Counter", ports)
    async with web.open_session() as session:
        for port in ports:
            for path in PATHS:
                try:
                    answer = await web.ask(session, f"{web.root_of(target.host, port)}{path}?{LIVE_SUM}", manner.wait_s)
                except DeviceUnreachable:
                    break
                if answer.status == 200:
                    try:
                        counted = parse_live_sum(answer.body)
                    except DeviceMisbehaved:
                        continue
                    who = f"Axis People Counter; {counted.name} serial {counted.serial}"
                    return Look(tried, (_sighting(target.host, port, who, manner, is_certain=True),))
                if answer.status in _LOCKED and "axis" in answer.challenge.lower():
                    who = (
                        "an Axis device that asks for a user; a people counter if the application runs 若已安装客流应用"
                    )
                    return Look(tried, (_sighting(target.host, port, who, manner, is_certain=False),))
    return Look(tried)


def _sighting(host: str, port: int, who: str, manner: Manner, *, is_certain: bool) -> Sighting:
    section: dict[str, Any] = {"host": host, "port": port}
    if port in TLS_PORTS:
        section["tls"] = True
    fill_in = []
    if not is_certain:
        fill_in = [
            f"username: {manner.username or 'operator'}",
            "password: fill in  # the sensor's own 请填写传感器密码",
        ]
    fill_in.append("invert: true  # if it was mounted the wrong way round 若安装方向相反")
    return Sighting("axis", FOOTFALL_SENSOR.name, who, section, fill_in, is_certain=is_certain)
