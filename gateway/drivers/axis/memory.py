"""A sensor's totals as they are kept between lives of the gateway, and how they are read back. Pure.

What people did while the gateway was down is in the sensor's own totals, so whoever knows the last ones catches up.
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.drivers.axis.live_sum import LiveSum
from gateway.drivers.axis.totals import Change, Totals

TOTALS: Final = "totals"
RECONNECTS: Final = "reconnects"
PROTOCOL_ERRORS: Final = "protocol_errors"


class _Kept(BaseModel):
    """Totals with wall-clock times, because a steady clock begins anew with the computer."""

    model_config = ConfigDict(frozen=True)

    serial: str
    timestamp: datetime
    in_today: int = Field(ge=0)
    out_today: int = Field(ge=0)
    received_at_ms: int
    counted_at_ms: int
    people_in: int = Field(ge=0)
    people_out: int = Field(ge=0)
    reboots: int = Field(ge=0)
    missing_intervals: int = Field(ge=0)
    day_in: int | None = Field(default=None, ge=0)
    day_out: int | None = Field(default=None, ge=0)
    inverted: bool = False


def write(totals: Totals, now_s: float, now_ms: int, *, inverted: bool = False) -> str:
    """Write totals.

    Args:
        totals: what is known.
        now_s: now, on their steady clock.
        now_ms: the same moment in milliseconds since 1970 UTC.
        inverted: whether in and out are the sensor's out and in.
    """
    last = totals.last
    return _Kept(
        serial=last.serial,
        timestamp=last.timestamp,
        in_today=last.in_today,
        out_today=last.out_today,
        received_at_ms=now_ms - round((now_s - totals.received_s) * 1000),
        counted_at_ms=now_ms - round((now_s - totals.counted_s) * 1000),
        people_in=totals.people_in,
        people_out=totals.people_out,
        reboots=totals.reboots,
        missing_intervals=totals.missing_intervals,
        day_in=totals.day_in,
        day_out=totals.day_out,
        inverted=inverted,
    ).model_dump_json()


def read(text: str, now_s: float, now_ms: int, *, inverted: bool = False) -> Totals | None:
    """Read totals back; ``None`` where they cannot be read. Arguments as for :func:`write`, of now."""
    try:
        kept = _Kept.model_validate_json(text)
        last = LiveSum.model_validate(
            {
                "serial": kept.serial,
                "timestamp": f"{kept.timestamp.year:04d}{kept.timestamp:%m%d%H%M%S}",
                "in": kept.in_today,
                "out": kept.out_today,
            }
        )
    except ValidationError:
        return None
    day_in = last.in_today if kept.day_in is None else kept.day_in
    day_out = last.out_today if kept.day_out is None else kept.day_out
    turned = kept.inverted != inverted  # the setting was changed: what is known of the sensor turns with it
    return Totals(
        last=last.inverted() if turned else last,
        received_s=now_s - max(0, now_ms - kept.received_at_ms) / 1000,
        change=Change.CONTINUED,
        people_in=kept.people_in,
        people_out=kept.people_out,
        reboots=kept.reboots,
        missing_intervals=kept.missing_intervals,
        counted_s=now_s - max(0, now_ms - kept.counted_at_ms) / 1000,
        day_in=day_out if turned else day_in,
        day_out=day_in if turned else day_out,
    )
