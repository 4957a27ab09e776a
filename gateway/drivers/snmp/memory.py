"""What a driver keeps of its agents between lives of the gateway, and how it is read back. Pure."""

from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

HOST: Final = "host"
LINK: Final = "link"
IDENTITIES: Final = "identities"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)


class HostMemory(_Kept):
    """The computer: its count of hundredths of a second, its restarts, what is numbered how."""

    ticks: int | None = Field(default=None, ge=0)
    at_ms: int = 0
    wraps: int = Field(default=0, ge=0)
    reboots: int = Field(default=0, ge=0)
    application_row: str = ""
    application_restarts: int = Field(default=0, ge=0)
    disks: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


class LinkMemory(_Kept):
    """Counts of the connection."""

    reconnects: int = Field(default=0, ge=0)
    protocol_errors: int = Field(default=0, ge=0)


class IdentityMemory(_Kept):
    """What agents last said they are: ``printer serial`` → number."""

    said: dict[str, str] = {}


KeptT = TypeVar("KeptT", bound=_Kept)


def read(kept: Mapping[str, str], key: str, model: type[KeptT]) -> KeptT:
    """What is kept under a key; nothing known where there is nothing or it cannot be read."""
    try:
        return model.model_validate_json(kept.get(key) or "{}")
    except ValidationError:
        return model()
