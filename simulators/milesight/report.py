"""What a Milesight people counter writes: JSON of the VS125, VS133 and VS135, and of the older VS121-P. Pure.

Source: payloads of two firmwares as integrators captured them; dwell times are milliseconds. Unverified, because no capture
shows it: where the VS121-P has its lines.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from simulators.milesight.identity import Identity


@dataclass(frozen=True, slots=True)
class Quirks:
    """Peculiarities of one sensor; none by default.

    Attributes:
        old_model: a VS121-P, with other names and times.
        local_time_without_offset: local times without an offset; else UTC with one.
        custom_ids: the ids are named ``custom_…`` instead of ``cus_…``.
        trigger_too: each crossing is pushed as well, besides the periodic report that counts it again.
        frozen_clock: its clock stands still from the beginning.
        swapped_direction: it was mounted the wrong way round.
    """

    old_model: bool = False
    local_time_without_offset: bool = False
    custom_ids: bool = False
    trigger_too: bool = False
    frozen_clock: bool = False
    swapped_direction: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """What it has to say.

    Attributes:
        people_in: in the interval, or by this crossing.
        people_out: likewise.
        total_in: since local midnight.
        total_out: likewise.
        inside: people in the region now.
        most_inside: most people in the region in the interval.
        dwell_s: mean stay of those who left in the interval, seconds; 0 where nobody did.
        running_s: uptime, seconds.
    """

    people_in: int
    people_out: int
    total_in: int
    total_out: int
    inside: int
    most_inside: int
    dwell_s: int
    running_s: int


def periodic(who: Identity, counted: Counted, start_at: datetime, end_at: datetime, quirks: Quirks) -> bytes:
    """Write the report of an interval, times by the sensor's clock."""
    head = {
        "device_info": _device(who, counted, quirks),
        "time_info": {
            **_zone(end_at, quirks),
            "start_time": _time(start_at, quirks),
            "end_time": _time(end_at, quirks),
        },
    }
    lines = {
        "line_periodic_data": [_line(who, counted)],
        "line_total_data": [
            {
                **_line_head(who),
                "total": {
                    "in_counted": counted.total_in,
                    "out_counted": counted.total_out,
                    "capacity_counted": counted.total_in - counted.total_out,
                },
            }
        ],
    }
    if quirks.old_model:
        old = {
            "event": "Region People Counting",
            "report_type": "interval",
            "current_total": counted.inside,
            "max_counted": counted.most_inside,
            "occupancy": [{"region": 1, "current_total": counted.inside}],
        }
        return _bytes({**old, **head, **lines})
    region = {
        "region_count_data": [{**_region_head(who), "total": {"current_total": counted.inside}}],
        "dwell_time_data": [
            {**_region_head(who), "avg_dwell_time": counted.dwell_s * 1000, "max_dwell_time": counted.dwell_s * 1000}
        ],
    }
    return _bytes({**head, **lines, "region_data": region})


def trigger(who: Identity, counted: Counted, at: datetime, quirks: Quirks) -> bytes:
    """Write the report of a crossing, time by the sensor's clock."""
    head: dict[str, Any] = {
        "device_info": _device(who, counted, quirks),
        "time_info": {**_zone(at, quirks), "time": _time(at, quirks)},
    }
    if quirks.old_model:
        head = {"event": "Line Crossing People Counting", "report_type": "trigger", **head}
    return _bytes({**head, "line_trigger_data": [_line(who, counted)]})


def _device(who: Identity, counted: Counted, quirks: Quirks) -> dict[str, Any]:
    prefix = "custom" if quirks.custom_ids else "cus"
    ids = {f"{prefix}_device_id": who.device_id, f"{prefix}_site_id": who.site_id}
    if quirks.old_model:
        return {
            "device": "VS121-P",
            "device_sn": who.serial,
            "device_mac": who.mac,
            "ip_address": "127.0.0.1",
            **ids,
            "running_time": counted.running_s,
            "firmware_version": "V_31.1.0.9-r3",
            "hardware_version": "V3.1",
        }
    return {
        "device_name": who.name,
        "device_sn": who.serial,
        "device_mac": who.mac,
        "wlan_mac": f"{who.mac[:-2]}{(int(who.mac[-2:], 16) + 1) % 256:02X}",
        "ip_address": "127.0.0.1",
        **ids,
        "running_time": counted.running_s,
        "firmware_version": "V_125-LW.1.0.3-r2",
        "hardware_version": "V1.1",
    }


def _line_head(who: Identity) -> dict[str, Any]:
    return {"line": 1, "line_name": "Line1", "line_uuid": who.line_uuid}


def _region_head(who: Identity) -> dict[str, Any]:
    return {"region": 1, "region_name": "Region1", "region_uuid": who.region_uuid}


def _line(who: Identity, counted: Counted) -> dict[str, Any]:
    crossed = {"in": counted.people_in, "out": counted.people_out}
    return {**_line_head(who), "total": crossed, "group": {"in": 0, "out": 0}}


def _zone(at: datetime, quirks: Quirks) -> dict[str, Any]:
    offset = at.utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    place = " China Standard Time (CT/CST)" if minutes == 480 else ""
    name = f"UTC{'-' if minutes < 0 else '+'}{hours}:{rest:02d}{place}"
    if quirks.old_model:
        return {"timezone": name}
    return {"time_zone": name, "enable_dst": False, "dst_status": False}


def _time(at: datetime, quirks: Quirks) -> str:
    if quirks.old_model:
        return at.strftime("%Y/%m/%d %H:%M:%S")
    if quirks.local_time_without_offset:
        return at.strftime("%Y-%m-%d %H:%M:%S")
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
