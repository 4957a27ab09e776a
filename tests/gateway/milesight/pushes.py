"""Pushes as a sensor makes them, for the tests of the driver."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

SERIAL = "6537F28545220003"
BEGIN = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
"""Nine in the morning in China."""

MINUTE = timedelta(minutes=1)


def push(
    minute: int = 0,
    lines: dict[int, tuple[int, int]] | None = None,
    totals: dict[int, tuple[int, int]] | None = None,
    *,
    at: datetime | None = None,
    serial: str = SERIAL,
    running_s: float | None = None,
    trigger: bool = False,
    local: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """A push for the minute that begins so many minutes after nine."""
    begin = (at or BEGIN) + minute * MINUTE
    shift, form = (timedelta(hours=8), "%Y-%m-%d %H:%M:%S") if local else (timedelta(), "%Y-%m-%dT%H:%M:%S+00:00")
    start, end = ((moment + shift).strftime(form) for moment in (begin, begin + MINUTE))
    made: dict[str, Any] = {
        "device_info": {
            "device_name": "People Counter",
            "device_sn": serial,
            "device_mac": "24:E1:24:FF:39:20",
            "cus_device_id": "D1",
            "cus_site_id": "BR0421",
            "firmware_version": "V_125-LW.1.0.3-r2",
            "hardware_version": "V1.1",
            "running_time": 86_400 + 60 * minute if running_s is None else running_s,
        },
        "time_info": {
            "time_zone": "UTC+8:00 China Standard Time (CT/CST)",
            "enable_dst": False,
            "dst_status": False,
            **({"time": end} if trigger else {"start_time": start, "end_time": end}),
        },
    }
    if lines is not None:
        made["line_trigger_data" if trigger else "line_periodic_data"] = [
            {
                "line": number,
                "line_name": f"Line{number}",
                "line_uuid": f"uuid-{number}",
                "total": {"in": people_in, "out": people_out},
                "group": {"in": 0, "out": 0},
            }
            for number, (people_in, people_out) in lines.items()
        ]
    if totals is not None:
        made["line_total_data"] = [
            {
                "line": number,
                "line_uuid": f"uuid-{number}",
                "total": {
                    "in_counted": people_in, "out_counted": people_out, "capacity_counted": people_in - people_out
                },
            }
            for number, (people_in, people_out) in totals.items()
        ]  # fmt: skip
    return made | more


def encoded(made: dict[str, Any]) -> bytes:
    return json.dumps(made).encode()
