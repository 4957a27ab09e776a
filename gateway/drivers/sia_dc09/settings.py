"""Settings of one panel."""

from typing import Annotated, Literal

from pydantic import Field

from runtime.settings import Section


class Settings(Section):
    """Where a panel calls and what it is called."""

    driver: Literal["dc09"] = Field(default="dc09", description="SIA DC-09")
    listen_host: str = Field(default="127.0.0.1", description="address the panel sends to")
    listen_port: int = Field(ge=1, le=65535, description="TCP port the panel sends to, one a panel")
    account: str = Field(pattern="^[0-9A-Fa-f]{3,16}$", description="account number, as programmed in the panel")
    supervision_s: float = Field(
        default=60, gt=0, le=86400, description="interval of the panel's NULL messages; after three the link is down"
    )
    idle_timeout_s: float = Field(default=300, gt=0, le=86400, description="a silent connection is closed after this")
    areas: tuple[Annotated[int, Field(ge=1, le=99)], ...] = Field(
        default=(), description="the panel's areas, so that an event of the whole panel reaches each of them"
    )
    zones: tuple[Annotated[int, Field(ge=1, le=999)], ...] = Field(
        default=(),
        description="the panel's zones; an event of another zone is taken and warned about; empty: not checked",
    )
