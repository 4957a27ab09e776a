"""Settings of one sensor."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from runtime.host_name import Host
from runtime.settings import Section
from runtime.time_zone import TimeZoneName


class Settings(Section):
    """Where a sensor is and how it is asked."""

    model_config = ConfigDict(hide_input_in_errors=True)

    driver: Literal["axis"] = Field(default="axis", description="Axis People Counter")
    host: Host = Field(description="name or address of the sensor")
    port: int = Field(default=80, ge=1, le=65535, description="port of its web server")
    tls: bool = Field(default=False, description="ask over https; the sensor's certificate must be valid")
    username: str | None = Field(default=None, pattern="^[^:]+$", description="user at the sensor")
    password: SecretStr | None = Field(default=None, description="that user's password")
    poll_s: float = Field(default=60, gt=0, le=900, description="interval of the polls")
    timeout_s: float = Field(default=10, gt=0, le=60, description="longest wait for one answer")
    failures_to_unreachable: int = Field(
        default=3, ge=1, le=100, description="polls failed in a row after which the sensor counts as unreachable"
    )
    zone: TimeZoneName = Field(
        default="+08:00", description="the sensor's local time: an offset from UTC or a name such as Europe/Lisbon"
    )

    invert: bool = Field(default=False, description="the sensor is mounted the wrong way round: its in is out")
    history_days: int = Field(
        default=7, ge=0, le=31, description="days caught up at most from the sensor's own history; 0: never ask for it"
    )

    @model_validator(mode="after")
    def _user_has_password(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: give both or neither")
        return self
