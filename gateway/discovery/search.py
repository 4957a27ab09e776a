"""Looks at many addresses side by side, each with every protocol, within bounds.

Only questions are asked that anybody may ask: no password is ever sent, and nothing is set or moved.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from contracts.errors import ConfigurationError, DeviceError
from gateway.discovery.sighting import Look, Manner, Report
from gateway.discovery.target import ADDRESSES_MOST, TCP_PORTS, Target
from gateway.drivers.axis import scout as axis
from gateway.drivers.milesight import scout as milesight
from gateway.drivers.onvif import scout as onvif
from gateway.drivers.snmp import scout as snmp
from gateway.drivers.xfs4iot import scout as xfs4iot
from runtime.host_name import is_address
from runtime.logs import get_logger

_log = get_logger(__name__)

ADDRESSES_AT_ONCE: Final = 32
CONNECTS_AT_ONCE: Final = 256

LOOK_WAITS: Final = 6
"""Waits for an answer that one protocol may take on one address."""

_Look = Callable[[Target, Sequence[int], Manner], Awaitable[Look]]

LOOKS: Final[dict[str, _Look]] = {
    "XFS4IoT": xfs4iot.look,
    "ONVIF": onvif.look,
    "Axis": axis.look,
    "Milesight": milesight.look,
}
"""How each protocol is looked for, and SNMP beside them. Alarm panels call by themselves; there is nothing to be found of them."""


async def search(
    targets: Sequence[Target], manner: Manner, ask_from: Sequence[str] = (), most: int = ADDRESSES_MOST
) -> list[Report]:
    """Look at every address.

    Args:
        targets: the addresses.
        manner: how to ask.
        ask_from: addresses of ours from which all cameras of a network are asked to come forward.
        most: cameras taken at most of those that do.

    Returns:
        A report for each address in the order given, then for each camera that answered from another one.

    Raises:
        ConfigurationError: a name is not known; nothing is asked then.
        DeviceUnreachable: the question to the whole network cannot be asked.
    """
    await _check_names(targets, LOOK_WAITS * manner.wait_s)
    everybody = list(targets)
    if ask_from:
        known = {target.host for target in targets}
        heard = await onvif.ask_everybody(ask_from, manner.wait_s, most)
        everybody += [_camera(host, match.ports) for host, match in sorted(heard.items()) if host not in known]
    addresses = asyncio.Semaphore(ADDRESSES_AT_ONCE)
    connects = asyncio.Semaphore(CONNECTS_AT_ONCE)
    async with snmp.looking(manner) as agent:
        looks = {**LOOKS, "SNMP": agent}

        async def one(target: Target) -> Report:
            async with addresses:
                return await _address(target, looks, manner, connects)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(target), name=f"look at {target.label}") for target in everybody]
    return [task.result() for task in tasks]


async def _check_names(targets: Sequence[Target], longest_s: float) -> None:
    names = [host for host in dict.fromkeys(target.host for target in targets) if not is_address(host)]
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(_is_known(name, longest_s), name=f"name {name}") for name in names]
    unknown = [name for name, attempt in zip(names, tries, strict=True) if not attempt.result()]
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)}: no address is known for this name; check its spelling, or give the address itself  "
            "主机名无法解析，请检查拼写或直接填写地址"
        )


async def _is_known(name: str, longest_s: float) -> bool:
    try:
        async with asyncio.timeout(longest_s):
            await asyncio.get_running_loop().getaddrinfo(name, None)
    except (OSError, UnicodeError, TimeoutError):
        return False
    return True


def _camera(host: str, ports: Iterable[tuple[int, bool]]) -> Target:
    """A camera that answered: beside the usual ports, those it told."""
    told = (port for port, _ in ports if 1 <= port <= 65535)
    return Target(host, tuple(dict.fromkeys((*TCP_PORTS, *told))), cameras_only=True)


async def _address(target: Target, looks: Mapping[str, _Look], manner: Manner, connects: asyncio.Semaphore) -> Report:
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(_is_open(target.host, port, manner.wait_s, connects)) for port in target.tcp_ports]
    open_ports = tuple(port for port, attempt in zip(target.tcp_ports, tries, strict=True) if attempt.result())
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_bounded(name, look, target, open_ports, manner), name=f"{name} on {target.label}")
            for name, look in looks.items()
            if name == "ONVIF" or not target.cameras_only
        ]
    return Report(target, tuple(task.result() for task in tasks), open_ports)


async def _is_open(host: str, port: int, wait_s: float, connects: asyncio.Semaphore) -> bool:
    """Whether a port takes a connection; it is closed again without a word."""
    async with connects:
        try:
            async with asyncio.timeout(wait_s):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True


async def _bounded(name: str, look: _Look, target: Target, open_ports: Sequence[int], manner: Manner) -> Look:
    longest_s = LOOK_WAITS * manner.wait_s
    try:
        async with asyncio.timeout(longest_s):
            return await look(target, open_ports, manner)
    except TimeoutError:
        return Look(
            f"{name}: not finished within {longest_s:g} s", (), (f"{name} 未在时限内完成; try a longer --wait",)
        )
    except DeviceError as error:
        return Look(name, (), (str(error),))
    except Exception as error:  # noqa: BLE001  (what one address answers must not end the look at the others)
        _log.error("look at an address broke", address=target.label, protocol=name, exc_info=error)
        return Look(name, (), (f"{name}: the look broke ({type(error).__name__}); see the log",))
