"""What a look at an address brings: the devices seen there, and what was tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from pydantic import SecretStr

from contracts.errors import ConfigurationError
from gateway.discovery.target import Target

OPEN_COMMUNITY: Final = "public"
"""What agents are delivered with, and no secret."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that speaks a protocol of ours.

    Attributes:
        driver: short name of the protocol.
        kind: device kind as far as can be seen; empty where the protocol alone does not make a device.
        what: who it says it is. Words of a device: anything may stand in them.
        connection: its ``connection`` section without ``driver``.
        fill_in: lines for the section that a person has to complete, as ``key: value``, with why.
        is_certain: ``False`` where it only looks like it; then it is proposed as a comment.
    """

    driver: str
    kind: str
    what: str
    connection: Mapping[str, Any]
    fill_in: Sequence[str] = ()
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """What came of trying one protocol on one address.

    Attributes:
        tried: what was asked where.
        sightings: what was found.
        remarks: why nothing was found, or what else was seen.
    """

    tried: str
    sightings: Sequence[Sighting] = ()
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Manner:
    """How the looks ask.

    Attributes:
        wait_s: longest wait for one answer, seconds.
        community: SNMP community, ``None`` for not to ask SNMP.
        is_open_community: the community is the one that everybody knows, and may stand in a file.
        username: user that is proposed for devices with passwords; never sent.
    """

    wait_s: float
    community: SecretStr | None = None
    is_open_community: bool = True
    username: str = ""

    @classmethod
    def asking(cls, targets: Sequence[Target], wait_s: float, community: str = "public", username: str = "") -> Self:
        """How to ask these addresses.

        Raises:
            ConfigurationError: a community that not everybody knows would be told to several addresses.
        """
        is_open = community == OPEN_COMMUNITY
        asked = [target for target in targets if not target.cameras_only]
        if community and not is_open and len(asked) > 1:
            raise ConfigurationError(
                f"an SNMP community other than {OPEN_COMMUNITY!r} is a password, and whoever is at these {len(asked)} "
                "addresses would hear it; look at one address at a time, or without SNMP: --snmp-community ''"
            )
        return cls(wait_s, SecretStr(community) if community else None, is_open, username)


@dataclass(frozen=True, slots=True)
class Report:
    """All that came of one address.

    Attributes:
        target: the address.
        looks: each protocol's.
        open_ports: TCP ports that take connections.
    """

    target: Target
    looks: Sequence[Look] = field(default_factory=tuple)
    open_ports: tuple[int, ...] = ()

    @property
    def sightings(self) -> list[Sighting]:
        """Everything found, protocol by protocol."""
        return [sighting for look in self.looks for sighting in look.sightings]

    @property
    def remarks(self) -> list[str]:
        """Everything remarked."""
        return [remark for look in self.looks for remark in look.remarks]
