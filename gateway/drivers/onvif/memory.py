"""What is known of a camera over the lives of the gateway. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

KEY: Final = "camera"

PARTS_MOST: Final = 32
"""Inputs, and relays, that get a number."""


class Memory(BaseModel):
    """Counters and what they are reckoned from; the numbers of inputs and relays; where the stream is."""

    model_config = ConfigDict(validate_assignment=False, extra="ignore")

    reconnects: int = Field(default=0, ge=0)
    protocol_errors: int = Field(default=0, ge=0)
    reboots: int = Field(default=0, ge=0)
    last_reboot_at: datetime | None = None
    auth_failures: int | None = Field(default=None, ge=0)
    load_in_percent: bool = False
    inputs: list[str] = Field(default=[], max_length=PARTS_MOST)
    relays: list[str] = Field(default=[], max_length=PARTS_MOST)
    stream_url: str | None = None

    def number_of_input(self, token: str) -> int | None:
        """The input's number, from 1, given when it was first heard of; ``None`` where there are too many."""
        return _number(self.inputs, token)

    def number_of_relay(self, token: str) -> int | None:
        """The relay's number, likewise."""
        return _number(self.relays, token)

    def write(self) -> str:
        """All of it as text."""
        return self.model_dump_json(exclude_defaults=True)


def read(kept: Mapping[str, str]) -> Memory | None:
    """What was kept; ``None`` where it cannot be read, an empty memory where nothing was."""
    try:
        return Memory.model_validate_json(kept.get(KEY, "{}"))
    except ValidationError:
        return None


def _number(tokens: list[str], token: str) -> int | None:
    if token not in tokens:
        if len(tokens) >= PARTS_MOST:
            return None
        tokens.append(token)
    return tokens.index(token) + 1
