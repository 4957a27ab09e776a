"""Settings of one sensor."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from runtime.host_name import Host
from runtime.settings import BrokerSettings, Section
from runtime.time_zone import TimeZoneName


class Settings(Section):
    """Where a sensor pushes to and which one it is."""

    model_config = ConfigDict(hide_input_in_errors=True)

    driver: Literal["milesight"] = Field(default="milesight", description="Milesight VS12x, VS13x push")
    transport: Literal["http", "mqtt"] = Field(default="http", description="how the sensor pushes")
    listen_host: Host = Field(default="127.0.0.1", description="http: address the sensors push to")
    listen_port: int = Field(
        default=8125, ge=1, le=65535, description="http: port the sensors push to; several may share it"
    )
    path: str = Field(default="/", pattern="^/[^?# ]*$", description="http: path of the sensor's push address")
    username: str | None = Field(default=None, pattern="^[^:]+$", description="http: user the sensor has to give")
    password: SecretStr | None = Field(default=None, description="http: that user's password")
    token: SecretStr | None = Field(
        default=None, min_length=8, description="http: what the sensor has to give as bearer token, or as ?token="
    )
    broker: BrokerSettings = Field(default=BrokerSettings(), description="mqtt: the broker in the branch")
    topic: str | None = Field(
        default=None, min_length=1, max_length=200, description="mqtt: topic the sensor publishes on, # and + allowed"
    )
    client_id: str | None = Field(
        default=None,
        pattern="^[A-Za-z0-9_-]{1,64}$",
        description="mqtt: name at the broker, which keeps what comes meanwhile; none: made of topic and ids",
    )
    device_sn: str | None = Field(default=None, min_length=1, max_length=64, description="the sensor's serial number")
    custom_device_id: str | None = Field(
        default=None, min_length=1, max_length=64, description="device id as set in the sensor; outlives a swap of it"
    )
    custom_site_id: str | None = Field(
        default=None, min_length=1, max_length=64, description="site id as set in the sensor"
    )
    counting: Literal["periodic", "trigger"] = Field(
        default="periodic", description="which of the sensor's pushes count people; the other never does"
    )
    interval_s: float = Field(
        default=60, gt=0, le=86400, description="longest time between two pushes; after three the link is down"
    )
    totals_reset: Literal["midnight", "never"] = Field(
        default="midnight", description="when the sensor's totals begin anew, where it has not shown it yet"
    )
    invert_lines: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(
        default=(), description="lines drawn the wrong way round: their in is out"
    )
    zone: TimeZoneName = Field(
        default="+08:00",
        description="the sensor's local time, for its midnight and for times without offset: an offset or a name",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: give both or neither")
        if self.transport == "mqtt" and self.topic is None:
            raise ValueError("transport mqtt needs the topic the sensor publishes on")
        return self
