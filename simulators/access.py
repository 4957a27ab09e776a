"""Where the gateway finds a simulated device, or is found by it: what an installer writes down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

HOST = "127.0.0.1"
"""Every simulated device is on this machine."""


@dataclass(frozen=True, slots=True)
class Xfs:
    """A machine's XFS4IoT service publisher.

    Attributes:
        port: port of the publisher.
        identity_readers: services that are card readers for identity cards, which their capabilities do not tell.
    """

    port: int
    identity_readers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Snmp:
    """An SNMP agent that speaks for a computer, its printer and its power supply.

    Attributes:
        port: UDP port.
        community: read community.
        application: process to watch.
    """

    port: int
    community: str = field(repr=False)
    application: str = ""


@dataclass(frozen=True, slots=True)
class Onvif:
    """A camera's web services.

    Attributes:
        port: port of the web services.
        username: user.
        password: that user's password.
    """

    port: int
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dc09:
    """Where an alarm panel reports to.

    Attributes:
        port: port the gateway listens on.
        account: account number.
        transport: how the panel sends.
        key: key of encrypted messages, ``None`` for messages in the clear.
        zones: numbers of its zones.
        areas: numbers of its areas.
        supervision_s: how often a silent panel says that it is there.
    """

    port: int
    account: str
    transport: Literal["tcp", "udp"]
    key: bytes | None = field(repr=False)
    zones: Sequence[int]
    areas: Sequence[int]
    supervision_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Axis:
    """A people counter that is asked.

    Attributes:
        port: port of its web interface.
        username: user.
        password: that user's password.
        inverted: it was mounted the wrong way round.
    """

    port: int
    username: str
    password: str = field(repr=False)
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Milesight:
    """Where a people counter pushes to.

    Attributes:
        port: port the gateway listens on.
        path: path it posts to.
        username: user it names.
        password: that user's password.
        interval_s: how often it pushes.
        inverted: it was mounted the wrong way round.
    """

    port: int
    path: str
    username: str
    password: str = field(repr=False)
    interval_s: int = 60
    inverted: bool = False


Access = Xfs | Snmp | Onvif | Dc09 | Axis | Milesight


@dataclass(frozen=True, slots=True)
class Address:
    """A device of a branch as its gateway has to know it.

    Attributes:
        local_id: device id inside the branch.
        kind: device kind.
        accesses: the ways to it, the leading one first.
    """

    local_id: str
    kind: str
    accesses: tuple[Access, ...]
