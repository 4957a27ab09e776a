"""What is looked at: addresses, networks and the ports asked on them. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.errors import ConfigurationError
from gateway.drivers.xfs4iot.settings import PUBLISHER_PORTS

ADDRESSES_MOST: Final = 256
"""Addresses of one run where nothing else is said: a /24."""

TCP_PORTS: Final = (80, 443, 2020, 8000, 8080, 8443, 8899, *PUBLISHER_PORTS)
"""Where cameras, counters and service publishers listen. Source: XFS4IoT specification; usual ports of ONVIF, unverified."""

TLS_PORTS: Final = frozenset({443, 8443})

SNMP_PORT: Final = 161
WS_DISCOVERY_PORT: Final = 3702

_NAME: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,62}))*\.?")
_WITH_PORT: Final = re.compile(r"(?P<host>[^:\[\]]+|\[[^\]]+\]):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Target:
    """One address to look at.

    Attributes:
        host: name or address, as it is written into the settings.
        tcp_ports: ports tried.
        snmp_port: UDP port of an SNMP agent.
        discovery_port: UDP port of WS-Discovery, ``None`` for not to ask: the port of the address was named.
        cameras_only: it was found by asking for cameras; nothing else is tried on it.
    """

    host: str
    tcp_ports: tuple[int, ...] = TCP_PORTS
    snmp_port: int = SNMP_PORT
    discovery_port: int | None = WS_DISCOVERY_PORT
    cameras_only: bool = False

    @property
    def label(self) -> str:
        """For a person: with the port where only one is tried."""
        return f"{bracketed(self.host)}:{self.tcp_ports[0]}" if len(self.tcp_ports) == 1 else self.host


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def on_ports(protocol: str, ports: Sequence[int]) -> str:
    """For a sentence on what was tried; empty where no port was."""
    return f"{protocol} on TCP port {', '.join(map(str, ports))}" if ports else ""


def targets(
    texts: Iterable[str],
    *,
    more_ports: Sequence[int] = (),
    snmp_port: int = SNMP_PORT,
    discovery_port: int = WS_DISCOVERY_PORT,
    most: int = ADDRESSES_MOST,
) -> tuple[Target, ...]:
    """Read what a person typed.

    Args:
        texts: each a name, an address, one of them with ``:port``, or a network as ``10.4.21.0/24``.
        more_ports: TCP ports tried beside the usual ones.
        snmp_port: UDP port of SNMP agents.
        discovery_port: UDP port of WS-Discovery.
        most: addresses at most.

    Returns:
        Each address once, in the order given.

    Raises:
        ConfigurationError: one cannot be read, or there are too many.
    """
    found: dict[tuple[str, int | None], None] = {}
    for text in texts:
        for item in _read(text.strip(), most):
            found.setdefault(item)
            if len(found) > most:
                raise ConfigurationError(
                    f"more than {most} addresses; look at a few at a time, or allow more with --most"
                )
    ports = tuple(dict.fromkeys((*TCP_PORTS, *more_ports)))
    return tuple(
        Target(host, ports, snmp_port, discovery_port) if port is None else Target(host, (port,), snmp_port, None)
        for host, port in found
    )


def _read(text: str, most: int) -> Iterable[tuple[str, int | None]]:
    if "/" in text:
        return ((host, None) for host in _hosts(text, most))
    named = _WITH_PORT.fullmatch(text)
    if named is None:
        return ((_host(text), None),)
    port = int(named["port"])
    if not 1 <= port <= 65535:
        raise ConfigurationError(f"address {text!r}: port {port}: expected 1 to 65535")
    return ((_host(named["host"]), port),)


def _hosts(text: str, most: int) -> Iterable[str]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigurationError(f"network {text!r}: {error}; expected one like 10.4.21.0/24") from error
    if network.num_addresses > most:
        raise ConfigurationError(
            f"network {text!r} has {network.num_addresses} addresses, expected at most {most}; give a smaller one such as "
            "10.4.21.0/24, or allow more with --most"
        )
    return (_sound(str(address), text) for address in network.hosts())


def _host(text: str) -> str:
    plain = text.strip("[]")
    try:
        ipaddress.ip_address(plain)
    except ValueError:
        if not _NAME.fullmatch(text) or re.fullmatch(r"[0-9.]+", text):
            raise ConfigurationError(
                f"address {text[:100]!r}: expected a name, an address, either with :port, or a network like 10.4.21.0/24"
            ) from None
        return text
    return _sound(plain, text)


def _sound(host: str, text: str) -> str:
    address = ipaddress.ip_address(host)
    if address.is_multicast or address.is_unspecified or host == "255.255.255.255":
        raise ConfigurationError(f"address {text!r} names no single device; give the address of a device")
    return host
