"""Settings of a gateway: its branch, the devices it reads, how it keeps and sends what they say."""

from difflib import get_close_matches
from pathlib import Path
from typing import Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from contracts.devices import KINDS
from contracts.gateway_messages import BranchId, KindName, LocalDeviceId
from contracts.identity import GATEWAY_DEVICE
from gateway.drivers.registry import DRIVERS, ROWS, driver_of, parse_connection
from gateway.reporting import TEMPLATES, ReportingSettings
from runtime.host_name import Host
from runtime.settings import ProcessSettings, Section


class DeviceSettings(Section):
    """A device behind the gateway."""

    id: LocalDeviceId = Field(
        description="id inside the branch, such as atm-01: begins with a letter or digit, then at most 63 letters A-Z a-z, digits, _ . or -"
    )
    kind: KindName = Field(description=f"one of {', '.join(KINDS)}")
    name: str = Field(default="", max_length=128, description="what people call it")
    maker: str = Field(default="", max_length=128, description="where the device does not say it itself")
    model: str = Field(default="", max_length=128, description="likewise")
    serial: str = Field(default="", max_length=128, description="likewise")
    firmware: str = Field(default="", max_length=128, description="likewise")
    connection: SerializeAsAny[Section] | None = Field(
        default=None, description="how to reach it; ``driver`` says in which protocol"
    )
    connections: tuple[SerializeAsAny[Section], ...] = Field(
        default=(), description="instead of ``connection``, where a device is read in several protocols: one for each"
    )

    @property
    def all_connections(self) -> tuple[Section, ...]:
        """Every way to the device, the leading one first."""
        return self.connections if self.connection is None else (self.connection,)

    @property
    def driver(self) -> str:
        """Short names of the protocols, joined by ``+``."""
        return "+".join(driver_of(connection) for connection in self.all_connections)

    @field_validator("connection", mode="before")
    @classmethod
    def _connection_of_its_driver(cls, value: object) -> Section | None:
        return None if value is None else parse_connection(value)

    @field_validator("connections", mode="before")
    @classmethod
    def _connections_of_their_drivers(cls, value: object) -> tuple[Section, ...]:
        if not isinstance(value, (list, tuple)):
            raise ValueError("expected a list of connections, each with its driver")  # noqa: TRY004  (pydantic's way)
        return tuple(parse_connection(item) for item in value)

    @model_validator(mode="after")
    def _is_reached_somehow(self) -> Self:
        if bool(self.connections) == (self.connection is not None):
            raise ValueError(f"device {self.id!r}: expected either connection or connections")
        names = [driver_of(connection) for connection in self.all_connections]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"device {self.id!r}: two connections with driver {name!r}; expected one for a protocol"
                )
            row = ROWS.get(name)
            if row is not None and self.kind not in row.kinds:
                raise ValueError(
                    f"driver {name!r} reads {', '.join(sorted(row.kinds))}; device {self.id!r} is of kind {self.kind!r}"
                )
        return self


class UplinkSettings(Section):
    """How readings are sent."""

    flush_s: float = Field(default=0.5, gt=0, le=60, description="longest wait of a reading that is not urgent")
    max_readings: int = Field(default=200, ge=1, le=1000, description="readings that make a pack at once")
    window: int = Field(default=64, ge=2, le=1000, description="packs sent and not acknowledged, half of them backfill")
    backfill_readings_per_s: float = Field(
        default=10_000, gt=0, description="bound of the backlog beside live readings"
    )
    acknowledge_timeout_s: float = Field(default=30, gt=0, description="a broker silent for longer is connected anew")
    stop_s: float = Field(default=5, ge=0, le=12, description="wait for acknowledgements at an orderly stop")


class OutboxSettings(Section):
    """How long what was sent is kept."""

    retention_h: float = Field(default=72, gt=0, description="hours a pack is kept after the broker acknowledged it")
    max_bytes: int = Field(default=2_000_000_000, ge=100_000, description="size bound; beyond it the oldest goes")


class RetrySettings(Section):
    """Waits between runs of a driver that ended."""

    first_s: float = Field(default=0.5, gt=0, le=60, description="wait after the first end, doubled each time")
    most_s: float = Field(default=30, gt=0, le=3600, description="longest wait")


class MetricsSettings(Section):
    """Prometheus metrics over HTTP."""

    host: Host = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(ge=1, le=65535, description="port to listen on; needed where metrics are served")


class GatewaySettings(ProcessSettings):
    """Settings of one gateway process."""

    branch_id: BranchId = Field(
        description="the gateway's branch, for good, such as BR0421: begins with a letter or digit, then at most 31 letters A-Z a-z, digits, _ or -"
    )
    devices: tuple[DeviceSettings, ...] = Field(default=(), description="the devices behind it, see below")
    uplink: UplinkSettings = UplinkSettings()
    outbox: OutboxSettings = OutboxSettings()
    retry: RetrySettings = RetrySettings()
    metrics: MetricsSettings | None = Field(default=None, description="where to serve /metrics; none: nowhere")
    reporting: dict[str, ReportingSettings] = Field(
        default={}, description="other deadbands and heartbeats, by signal path as the catalogue writes it"
    )
    watch_host: bool = Field(
        default=True, description="report this computer's own figures; off where several gateways share one"
    )
    health_s: float = Field(default=10, ge=0.1, le=60, description="how often the gateway looks at itself")

    @property
    def outbox_path(self) -> Path:
        """File of the outbox."""
        return self.data_dir / "gateway" / self.branch_id / "outbox.db"

    @field_validator("reporting")
    @classmethod
    def _signals_exist(cls, reporting: dict[str, ReportingSettings]) -> dict[str, ReportingSettings]:
        for path in reporting:
            if path not in TEMPLATES:
                near = get_close_matches(path, TEMPLATES, n=3, cutoff=0.4)
                raise ValueError(f"no signal {path!r} in the device catalogue; near it: {', '.join(near) or 'none'}")
        return reporting

    @model_validator(mode="after")
    def _connections_are_compatible(self) -> Self:
        by_driver: dict[str, list[Section]] = {}
        for device in self.devices:
            for connection in device.all_connections:
                by_driver.setdefault(driver_of(connection), []).append(connection)
        for name, connections in by_driver.items():
            check_together = DRIVERS[name].check_together
            if check_together is not None:
                check_together(connections)
        return self

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        seen = {GATEWAY_DEVICE}
        for device in self.devices:
            if device.id in seen:
                reason = "is the gateway itself" if device.id == GATEWAY_DEVICE else "is listed twice"
                raise ValueError(f"devices: id {device.id!r} {reason}; each device needs an id of its own")
            seen.add(device.id)
        return self
