"""Settings of one machine read over XFS4IoT."""

import ssl
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from contracts.errors import ConfigurationError
from runtime.host_name import Host
from runtime.settings import Section

PUBLISHER_PORTS = tuple(range(5846, 5857))
"""Source: XFS4IoT specification, service publisher: the first free port of 80 or 443 and 5846 to 5856."""

Component = Literal["cdm", "cim", "idc", "nfc", "pin", "prr", "prj", "prp", "scn", "bcr", "bio", "idr"]
"""Components that are hardware modules."""

Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(Section):
    """How to reach a machine and how often to ask it."""

    driver: Literal["xfs"] = Field(default="xfs", description="XFS4IoT")
    host: Host = Field(description="name or address of the machine")
    ports: tuple[Port, ...] | None = Field(
        default=None, description="ports tried for service publishers; none: 443 (80 without TLS) and 5846 to 5856"
    )
    tls: bool = Field(default=True, description="false: plain WebSocket, for tests and closed networks only")
    tls_ca: Path | None = Field(default=None, description="certificate authority file; none: the system's")
    components: dict[Annotated[str, Field(min_length=1, max_length=128)], Component] = Field(
        default={},
        max_length=64,
        description="service name → component, where the service's capabilities do not tell: a second card reader that "
        "reads identity cards is idr",
    )
    poll_s: float = Field(default=30.0, gt=0, le=60, description="seconds between two readings of Common.Status")
    storage_poll_s: float = Field(default=300.0, gt=0, le=900, description="seconds between two Storage.GetStorage")
    discovery_s: float = Field(default=300.0, gt=0, description="seconds between two searches for new services")
    connect_timeout_s: float = Field(default=4.0, gt=0, description="longest wait for a connection")
    reply_timeout_s: float = Field(default=10.0, gt=0, description="longest wait for the completion of a command")
    heartbeat_s: float = Field(default=20.0, gt=0, description="seconds between two WebSocket pings")
    debounce_s: float = Field(default=0.3, ge=0, description="wait after an event before the state is read again")
    retry_first_s: float = Field(default=1.0, gt=0, description="wait before a lost service is tried again, doubled")
    retry_most_s: float = Field(default=30.0, gt=0, description="longest of these waits")
    frame_most_bytes: int = Field(default=1 << 20, ge=1024, description="a longer frame ends the connection")

    def publisher_ports(self) -> tuple[int, ...]:
        """Ports on which a service publisher may listen."""
        if self.ports is not None:
            return self.ports
        return (443 if self.tls else 80, *PUBLISHER_PORTS)

    def tls_context(self) -> ssl.SSLContext | bool:
        """What aiohttp takes as ``ssl``.

        Raises:
            ConfigurationError: the certificate authority file cannot be read.
        """
        if not self.tls or self.tls_ca is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self.tls_ca))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"tls_ca {self.tls_ca}: cannot be used: {error}; give a PEM file with the authority's certificate"
            ) from error
