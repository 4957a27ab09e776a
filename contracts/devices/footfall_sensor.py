"""Footfall sensor: counts people who pass a door."""

from contracts.devices import blocks
from contracts.signals import (
    ALWAYS,
    IF_FITTED,
    DeviceKind,
    counter,
    event,
    gauge,
    percent,
    state,
)

_OWN = (
    counter("total/in", ALWAYS, 300, "people in, all lines", "进入人数", "Axis live-sum.json in; Σ line_periodic_data.total.in"),
    counter("total/out", ALWAYS, 300, "people out, all lines", "离开人数", "Axis out; Σ total.out"),
    gauge("total/occupancy", IF_FITTED, 300, "count", 1, (0, None), "people inside, clamped at 0, reset nightly", "在场人数", "live-occupancy.json; capacity_counted; else in − out"),
    counter("line{n}/in", IF_FITTED, 300, "people in, one line", "单线进入", "line_periodic_data or line_trigger_data (never both), inverted where the inventory says so"),
    counter("line{n}/out", IF_FITTED, 300, "people out, one line", "单线离开", "same"),
    gauge("region{n}/count", IF_FITTED, 300, "count", 1, (0, None), "people in a region", "区域人数", "region_count_data.total.current_total"),
    gauge("region{n}/dwell", IF_FITTED, 900, "s", percent(10), (0, None), "mean dwell in a region", "区域停留时长", "dwell_time_data"),
    gauge("sensor/uptime", IF_FITTED, 3600, "s", 0, (0, None), "uptime", "运行时长", "device_info.running_time"),
    counter("sensor/reboots", ALWAYS, 3600, "restarts", "重启次数", "derived: running_time or total fell outside midnight"),
    gauge("sensor/last_count_age", ALWAYS, 300, "s", 300, (0, None), "time since the last count", "距上次计数时长", "derived"),
    gauge("sensor/imbalance", ALWAYS, 900, "/", 0.02, (0, 1), "abs(in − out) / max(in, out) today, from 50 counts on", "进出不平衡度", "derived"),
    counter("sensor/missing_intervals", ALWAYS, 900, "intervals never received", "缺失时段数", "derived: gaps in start_time; totals against Σ periodic; export-json holes"),
    counter("sensor/duplicates", IF_FITTED, 3600, "repeated intervals dropped", "重复上报数", "derived: device_sn, line_uuid, start_time"),
    state("sensor/view", IF_FITTED, 900, "ok:o blocked:f dark:d unknown:u", "view of the sensor", "视野状态", "Xovis illumination; camera tampering of the host camera; else absent"),
    event("sensor/event", IF_FITTED, "other messages", "传感器事件", "connection_test, network_info"),
)

FOOTFALL_SENSOR = DeviceKind(
    name="footfall_sensor",
    en="footfall sensor",
    zh="客流计",
    signals=(
        *blocks.LINK,
        *blocks.CLOCK,
        *_OWN,
    ),
)
