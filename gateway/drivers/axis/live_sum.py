"""The answer to ``live-sum.json``: what a sensor has counted since its local midnight.

Source: Axis People Counter developer documentation.
"""

from datetime import datetime
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from contracts.errors import DeviceMisbehaved

MOST_ANSWER_BYTES: Final = 16 * 1024
"""A sound answer has about 120 bytes."""

_TIMESTAMP_FORMAT: Final = "%Y%m%d%H%M%S"


class LiveSum(BaseModel):
    """People counted since local midnight."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, strict=True)

    serial: str = Field(min_length=1, max_length=64)
    name: str = Field(default="", max_length=128)
    timestamp: datetime
    in_today: int = Field(alias="in", ge=0, le=10_000_000)
    out_today: int = Field(alias="out", ge=0, le=10_000_000)

    def inverted(self) -> Self:
        """The same with in and out exchanged, for a sensor that is mounted the wrong way round."""
        return self.model_copy(update={"in_today": self.out_today, "out_today": self.in_today})

    @field_validator("timestamp", mode="before")
    @classmethod
    def _read_timestamp(cls, value: object) -> datetime:
        if not isinstance(value, str) or len(value) != 14 or not (value.isascii() and value.isdigit()):
            raise ValueError("expected local time as YYYYMMDDhhmmss")
        return datetime.strptime(value, _TIMESTAMP_FORMAT)  # noqa: DTZ007  (the sensor's own time, the zone is a setting)


def parse_live_sum(answer: bytes) -> LiveSum:
    """Read an answer.

    Raises:
        DeviceMisbehaved: it is not what the interface promises.
    """
    try:
        return LiveSum.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "answer"
        raise DeviceMisbehaved(
            f"live-sum.json: {where}: {first['msg']}; check that the address is an Axis People Counter"
        ) from error
