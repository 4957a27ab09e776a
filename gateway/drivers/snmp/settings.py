"""Settings of the agents that tell about one machine: its computer, its printer, its power supply."""

from typing import Final, Literal, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from runtime.host_name import Host
from runtime.settings import Section
from runtime.time_zone import TimeZoneName

_SECRETS: Final = ("auth_protocol", "auth_password", "privacy_protocol", "privacy_password")


class AgentSettings(Section):
    """Where an agent is and how it is asked."""

    model_config = ConfigDict(hide_input_in_errors=True)

    address: Host = Field(description="name or IPv4 address of the agent")
    port: int = Field(default=161, ge=1, le=65535, description="its UDP port")
    community: SecretStr | None = Field(default=None, description="community of an agent that speaks version 2c")
    username: str | None = Field(
        default=None, min_length=1, max_length=32, description="user at an agent that speaks version 3"
    )
    auth_protocol: Literal["sha", "sha224", "sha256", "sha384", "sha512"] = Field(
        default="sha", description="how that user's messages are signed"
    )
    auth_password: SecretStr | None = Field(default=None, min_length=8, description="password they are signed with")
    privacy_protocol: Literal["aes128", "aes192", "aes256"] = Field(
        default="aes128",
        description="how that user's messages are encrypted; 192 and 256 bits with Reeder's key extension",
    )
    privacy_password: SecretStr | None = Field(
        default=None, min_length=8, description="password they are encrypted with"
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        user = (self.username, self.auth_password, self.privacy_password)
        if self.community is not None and user == (None, None, None):
            return self
        if self.community is None and None not in user:
            return self
        raise ValueError(
            "give either community (version 2c), or username, auth_password and privacy_password (version 3)"
        )


class HostSettings(AgentSettings):
    """The computer."""

    application: str = Field(
        default="", max_length=260, description="name or path of the process to watch; none: no process is watched"
    )
    disks: tuple[str, ...] = Field(
        default=(),
        max_length=32,
        description="disks to watch as the agent describes them: `C:\\`, `/`; none: all fixed ones",
    )
    ports: tuple[str, ...] = Field(
        default=(),
        max_length=16,
        description="network ports to watch by name; none: those with a plug that are switched on",
    )


class PrinterSettings(AgentSettings):
    """The printer; its agent may be the computer's."""

    device_index: int | None = Field(
        default=None, ge=1, description="its `hrDeviceIndex`; none: the first printer the agent lists"
    )


class UpsSettings(AgentSettings):
    """The uninterruptible power supply."""


class Settings(Section):
    """Which agents there are and how often they are asked."""

    model_config = ConfigDict(hide_input_in_errors=True)

    driver: Literal["snmp"] = Field(default="snmp", description="SNMP: HOST-RESOURCES, Printer-MIB, UPS-MIB, IF-MIB")
    host: HostSettings | None = Field(default=None, description="the computer")
    printer: PrinterSettings | None = Field(default=None, description="the printer")
    ups: UpsSettings | None = Field(default=None, description="the power supply")
    poll_s: float = Field(default=30, gt=0, le=900, description="interval of the polls for what changes quickly")
    tables_s: float = Field(
        default=300, gt=0, le=86400, description="interval of the polls for tables, levels and identity"
    )
    timeout_s: float = Field(default=2, gt=0, le=30, description="longest wait for one answer")
    retries: int = Field(default=1, ge=0, le=10, description="times a question without an answer is asked again")
    failures_to_lost: int = Field(
        default=2, ge=1, le=100, description="polls failed in a row after which an agent counts as lost"
    )
    zone: TimeZoneName = Field(
        default="+08:00", description="the computer's local time, where its agent gives the time without a zone"
    )

    @model_validator(mode="after")
    def _some_agent(self) -> Self:
        if self.host is None and self.printer is None and self.ups is None:
            raise ValueError("give at least one of host, printer and ups")
        return self

    @model_validator(mode="after")
    def _one_secret_a_user(self) -> Self:
        known: dict[str, AgentSettings] = {}
        for agent in (self.host, self.printer, self.ups):
            if agent is None or agent.username is None:
                continue
            first = known.setdefault(agent.username, agent)
            if any(getattr(first, key) != getattr(agent, key) for key in _SECRETS):
                raise ValueError("a username that stands twice needs the same protocols and passwords both times")
        return self
