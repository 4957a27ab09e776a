"""Looks for an SNMP agent on an address, and for what it speaks: a computer, a printer, a power supply."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from contracts.errors import DeviceError, DeviceUnreachable
from gateway.discovery.sighting import Look, Manner, Sighting
from gateway.discovery.target import Target
from gateway.drivers.snmp import printer, ups
from gateway.drivers.snmp.agent import Agent
from gateway.drivers.snmp.engine import Engine
from gateway.drivers.snmp.settings import AgentSettings
from gateway.drivers.snmp.values import Answers

_DESCRIPTION: Final = "1.3.6.1.2.1.1.1.0"
_OBJECT_ID: Final = "1.3.6.1.2.1.1.2.0"
_NAME: Final = "1.3.6.1.2.1.1.5.0"
_HOST_UPTIME: Final = "1.3.6.1.2.1.25.1.1.0"
_PRINTER_NAME: Final = "1.3.6.1.2.1.43.5.1.1.16"
_RETRIES: Final = 1

TO_FILL_IN: Final = "fill-in"
"""Stands for a community in what is written; the community itself never is, unless everybody knows it."""


_Look = Callable[[Target, Sequence[int], Manner], Awaitable[Look]]


@asynccontextmanager
async def looking(manner: Manner) -> AsyncIterator[_Look]:
    """Gives the look at one address; all looks share an engine, because one takes a while to make."""
    if manner.community is None:
        yield _no_look
        return
    async with Engine(manner.wait_s / (_RETRIES + 1), lambda _raw, _error: None) as engine:

        async def look(target: Target, _open_ports: Sequence[int], manner: Manner) -> Look:
            return await _look(engine, target, manner)

        yield look


async def _no_look(_target: Target, _open_ports: Sequence[int], _manner: Manner) -> Look:
    return Look("SNMP not tried")


async def _look(engine: Engine, target: Target, manner: Manner) -> Look:
    """Ask the agent what it is and which of our MIBs it has."""
    tried = f"SNMP on UDP port {target.snmp_port}"
    settings = AgentSettings(address=target.host, port=target.snmp_port, community=manner.community)
    agent = Agent(settings, _RETRIES, lambda _complaint: None)
    agent.use(engine)
    try:
        said = await agent.get([_DESCRIPTION, _OBJECT_ID, _NAME, _HOST_UPTIME, *ups.IDENTITY.values()])
        printers = await agent.column(printer.PRINTER_STATUS, 1) or await agent.column(_PRINTER_NAME, 1)
        alarms = await agent.get([ups.ALARMS_PRESENT])
    except DeviceUnreachable:
        return Look(tried)
    except DeviceError as error:
        return Look(tried, (), (str(error),))
    answers = Answers(said)
    has = {
        "host": _HOST_UPTIME in said,
        "printer": bool(printers),
        "ups": bool(alarms) or any(oid in said for oid in ups.IDENTITY.values()),
    }
    who = "; ".join(text for text in (answers.text(_NAME), answers.text(_DESCRIPTION)) if text)
    parts = [part for part, is_there in has.items() if is_there]
    if not parts:
        told = who or str(said.get(_OBJECT_ID, ""))
        return Look(
            tried, (), (f"SNMP agent without computer, printer or power supply 无主机、打印机或 UPS 信息: {told}",)
        )
    return Look(tried, (_sighting(target, manner, parts, who),))


def _sighting(target: Target, manner: Manner, parts: Sequence[str], who: str) -> Sighting:
    agent: dict[str, Any] = {"address": target.host}
    if target.snmp_port != 161:
        agent["port"] = target.snmp_port
    secret = manner.community.get_secret_value() if manner.community is not None else ""
    agent["community"] = secret if manner.is_open_community else TO_FILL_IN
    fill_in = []
    if not manner.is_open_community:
        fill_in.append(f"community: the one in use, in place of {TO_FILL_IN} 请替换为实际的团体名")
    if "host" in parts:
        fill_in.append("host.application: name of the process to watch 要监视的应用进程名")
    what = f"SNMP; {' '.join(parts)}; {who}"
    return Sighting("snmp", "", what, {part: dict(agent) for part in parts}, fill_in, is_certain=False)
