"""Settings of one panel."""

from collections.abc import Iterable
from itertools import combinations
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from gateway.drivers.sia_dc09.cipher import KEY_BYTES
from runtime.host_name import Host
from runtime.settings import Section

_ANY_HOST: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  (compared with, not listened on)


class Settings(Section):
    """Where a panel calls and what it is called."""

    driver: Literal["dc09"] = Field(default="dc09", description="SIA DC-09")
    listen_host: Host = Field(default="127.0.0.1", description="address the panel sends to")
    listen_port: int = Field(ge=1, le=65535, description="port the panel sends to; panels of one gateway may share it")
    transport: Literal["tcp", "udp", "both"] = Field(default="tcp", description="how the panel sends")
    account: str = Field(pattern="^[0-9A-Fa-f]{3,16}$", description="account number, as programmed in the panel")
    key_ascii: SecretStr | None = Field(
        default=None, description="AES key as 16, 24 or 32 characters, where the panel takes it as text"
    )
    key_hex: SecretStr | None = Field(
        default=None, description="AES key as 32, 48 or 64 hexadecimal digits, where the panel takes it as digits"
    )
    require_encryption: bool | None = Field(
        default=None, description="refuse messages in plain text; by default as soon as there is a key"
    )
    unidentified: Literal["silence", "nak"] = Field(
        default="silence", description="answer to messages of an unknown account or key"
    )
    unknown_code: Literal["ack", "duh"] = Field(
        default="ack", description="answer to a sound event of an unknown code; duh: do not take it"
    )
    supervision_s: float = Field(default=60, gt=0, le=86400, description="interval of the panel's NULL messages")
    supervision_factor: float = Field(
        default=3, ge=1, le=100, description="intervals without a message after which the link is down"
    )
    supervision_grace_s: float = Field(default=0, ge=0, le=86400, description="seconds to wait beyond that")
    idle_timeout_s: float = Field(default=300, gt=0, le=86400, description="a silent connection is closed after this")
    areas: tuple[Annotated[int, Field(ge=1, le=99)], ...] = Field(
        default=(), description="the panel's areas, so that an event of the whole panel reaches each of them"
    )
    zones: tuple[Annotated[int, Field(ge=1, le=999)], ...] = Field(
        default=(),
        description="the panel's zones; an event of another zone is taken and warned about; empty: not checked",
    )

    @property
    def key(self) -> bytes | None:
        """The panel's AES key, ``None`` where it sends plain text."""
        if self.key_ascii is not None:
            return self.key_ascii.get_secret_value().encode()
        return None if self.key_hex is None else bytes.fromhex(self.key_hex.get_secret_value())

    @property
    def takes_plain_text(self) -> bool:
        """Whether messages in plain text are taken."""
        return self.key is None if self.require_encryption is None else not self.require_encryption

    @property
    def line_fail_s(self) -> float:
        """Seconds of silence after which the link is down."""
        return self.supervision_s * self.supervision_factor + self.supervision_grace_s

    @model_validator(mode="after")
    def _key_is_one(self) -> Self:
        if self.key_ascii is not None and self.key_hex is not None:
            raise ValueError("key_ascii and key_hex: give one of them, as the panel's menu asks for it")
        try:
            key = self.key
        except ValueError:
            raise ValueError(
                "key_hex: expected hexadecimal digits only; a key of other letters is a key_ascii"
            ) from None
        if key is not None and len(key) not in KEY_BYTES:
            raise ValueError(
                f"key_ascii or key_hex: expected 16, 24 or 32 bytes for AES-128, -192 or -256, got {len(key)}; is a key of "
                "digits written as key_hex?"
            )
        if self.require_encryption and key is None:
            raise ValueError("require_encryption: there is no key; give key_ascii or key_hex, or switch it off")
        return self

    def collides_with(self, other: "Settings") -> bool:
        """Tell whether a message could be for either of two panels."""
        hosts = {self.listen_host, other.listen_host}
        transports = {self.transport, other.transport}
        return (
            self.account.upper() == other.account.upper()
            and self.listen_port == other.listen_port
            and (len(hosts) == 1 or bool(hosts & _ANY_HOST))
            and (len(transports) == 1 or "both" in transports)
        )


def check_together(panels: Iterable[Settings]) -> None:
    """Check that the panels of one gateway can be told apart.

    Raises:
        ValueError: two have the same port and the same account.
    """
    for one, other in combinations(panels, 2):
        if one.collides_with(other):
            raise ValueError(
                f"two alarm panels of account {one.account} on port {one.listen_port}; give each panel an account or a "
                "port of its own"
            )
