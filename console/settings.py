"""Settings of the console."""

import ipaddress

from pydantic import Field, field_validator

from runtime.settings import Section


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address names this machine alone."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ConsoleSettings(Section):
    """The HTTP server of API and page.

    There are no accounts yet, so whoever reaches the port may do everything: it is open to this machine alone.
    """

    host: str = Field(default="127.0.0.1", description="loopback address or localhost")
    port: int = Field(default=8080, ge=0, le=65535, description="0: a free port, see the log")
    max_listeners: int = Field(default=200, ge=1, description="open event streams at a time; further ones are refused")
    keep_alive_s: float = Field(default=15.0, gt=0, le=60, description="a comment on every silent event stream")

    @field_validator("host")
    @classmethod
    def _is_loopback(cls, host: str) -> str:
        if not is_loopback(host):
            raise ValueError(
                "expected a loopback address (127.0.0.1, ::1) or localhost: the console has no accounts yet, so it must "
                "not be reachable from the network; use an SSH tunnel to reach it from elsewhere"
            )
        return host
