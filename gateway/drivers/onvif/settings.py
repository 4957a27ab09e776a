"""Settings of one camera."""

import ssl
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from contracts.errors import ConfigurationError, DeviceMisbehaved
from gateway.drivers.onvif.rtsp_conversation import Credentials
from gateway.drivers.onvif.stream_probe import stream_url
from runtime.host_name import Host
from runtime.settings import Section


class Settings(Section):
    """Where a camera is and how it is asked."""

    model_config = ConfigDict(hide_input_in_errors=True)

    driver: Literal["onvif"] = Field(default="onvif", description="ONVIF and RTSP")
    host: Host = Field(description="name or address")
    port: int = Field(default=80, ge=1, le=65535, description="port of its ONVIF service")
    tls: bool = Field(default=False, description="ask ONVIF over https")
    tls_ca: Path | None = Field(default=None, description="certificate authority file; none: the system's")
    username: str | None = Field(default=None, pattern="^[^:]+$", description="user at the camera; a viewer is enough")
    password: SecretStr | None = Field(default=None, description="that user's password")
    onvif: bool = Field(
        default=True, description="false: a camera without ONVIF, of which only the stream is looked at"
    )
    rtsp_url: str | None = Field(
        default=None, max_length=1024, description="the stream, without user and password; none: asked over ONVIF"
    )
    profile: str | None = Field(
        default=None, max_length=128, description="name or token of the media profile to look at; none: the first"
    )
    basic_allowed: bool = Field(
        default=False, description="send the password readable where the camera's RTSP server asks for Basic"
    )
    poll_s: float = Field(default=60, gt=0, le=900, description="seconds between two readings of the clock")
    pull_s: float = Field(default=20, ge=1, le=60, description="how long one request for events may wait at the camera")
    subscription_s: float = Field(default=600, ge=10, le=86400, description="lifetime asked for an event subscription")
    resubscribe_s: float = Field(default=50, gt=0, le=900, description="wait after an event subscription was lost")
    recording_s: float = Field(default=300, gt=0, le=3600, description="seconds between two readings of the recordings")
    probe_s: float = Field(default=60, gt=0, le=900, description="seconds between two looks at the stream")
    play_s: float = Field(default=600, gt=0, le=3600, description="seconds between two looks that count packets")
    watch_s: float = Field(default=3, gt=0, le=30, description="how long packets are counted")
    auth_retry_s: float = Field(
        default=900, gt=0, le=86400, description="wait after refused credentials, so that the account is not locked"
    )
    timeout_s: float = Field(default=10, gt=0, le=60, description="longest wait for a connection or an answer")
    failures_to_unreachable: int = Field(
        default=3, ge=1, le=100, description="failed requests in a row after which the camera counts as unreachable"
    )
    answer_most_bytes: int = Field(default=1 << 19, ge=16_384, le=1 << 22, description="a longer answer is refused")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: give both or neither")
        if not self.onvif and self.rtsp_url is None:
            raise ValueError("onvif = false needs rtsp_url: there is nobody else to say where the stream is")
        if self.rtsp_url is not None:
            if "@" in self.rtsp_url.partition("://")[2].partition("/")[0]:
                raise ValueError("rtsp_url holds a user; give username and password under their own keys")
            try:
                stream_url(self.rtsp_url)
            except DeviceMisbehaved:
                raise ValueError("rtsp_url: expected rtsp://host:port/path") from None
        return self

    @property
    def credentials(self) -> Credentials | None:
        """User at the camera, ``None`` where it needs none."""
        if self.username is None or self.password is None:
            return None
        is_local = self.host in {"localhost", "::1"} or self.host.startswith("127.")
        return Credentials(self.username, self.password.get_secret_value(), self.basic_allowed or is_local)

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
