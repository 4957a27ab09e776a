"""Gateway: the branch edge itself, watched like any other device."""

from contracts.devices import blocks
from contracts.signals import (
    ALWAYS,
    IF_FITTED,
    DeviceKind,
    counter,
    event,
    gauge,
    if_fitted,
    percent,
    state,
)

_OWN = (
    state("uplink/state", ALWAYS, 60, "connected:o disconnected:f unknown:u", "connection to the broker", "上行连接", "collector: status topic and its will"),
    gauge("uplink/round_trip", ALWAYS, 300, "s", percent(20), (0, 60), "publish to acknowledge", "上行往返时延", "derived: PUBACK time"),
    counter("uplink/reconnects", ALWAYS, 900, "reconnections", "上行重连次数", "derived"),
    counter("uplink/packs_sent", ALWAYS, 60, "packs acknowledged", "已发送数据包", "derived"),
    counter("uplink/resends", ALWAYS, 900, "packs sent again on request", "重传数据包", "derived"),
    gauge("uplink/missing_packs", ALWAYS, 300, "count", 1, (0, None), "packs the collector misses", "缺失数据包", "collector: holes in seq older than the grace time"),
    gauge("uplink/backfill_left", ALWAYS, 300, "count", percent(10), (0, None), "readings waiting for backfill", "待补传读数", "derived"),
    gauge("uplink/certificate_left", IF_FITTED, 86400, "s", 86400, (0, None), "life left of the client certificate", "证书剩余有效期", "derived"),
    gauge("outbox/pending", ALWAYS, 60, "count", percent(10), (0, None), "readings not yet acknowledged", "待发读数", "SQLite outbox"),
    gauge("outbox/bytes", ALWAYS, 900, "B", percent(5), (0, None), "size of the outbox", "发件箱大小", "SQLite outbox"),
    gauge("outbox/oldest_age", ALWAYS, 60, "s", 30, (0, None), "age of the oldest unsent reading", "最早未发读数时长", "SQLite outbox"),
    counter("outbox/dropped", ALWAYS, 300, "readings dropped unsent at the size bound", "丢弃读数", "SQLite outbox"),
    gauge("outbox/commit_time", ALWAYS, 900, "s", percent(50), (0, None), "time of a durable commit, 95 %", "落盘耗时", "derived"),
    state("driver/{name}/state", ALWAYS, 300, "running:o starting:u backoff:d failed:f stopped:m unknown:u", "driver; name = xfs, snmp, onvif, dc09, axis, milesight", "驱动状态", "supervisor"),
    counter("driver/{name}/restarts", ALWAYS, 900, "driver restarts", "驱动重启次数", "supervisor"),
    counter("driver/{name}/readings", ALWAYS, 300, "readings taken in", "驱动采集量", "driver"),
    counter("driver/{name}/refused", ALWAYS, 900, "inputs refused and kept for inspection", "驱动拒收量", "driver"),
    gauge("devices/expected", ALWAYS, 900, "count", 1, (0, None), "devices in the inventory", "应接入设备数", "inventory"),
    gauge("devices/reachable", ALWAYS, 300, "count", 1, (0, None), "devices with link up", "在线设备数", "derived"),
    state("clock/sync", ALWAYS, 900, "synchronised:o unsynchronised:f unknown:u", "time synchronisation", "时间同步", "operating system"),
    gauge("host/temperature", IF_FITTED, 900, "Cel", 2, (-20, 110), "board temperature", "主板温度", "operating system"),
    event("gateway/event", ALWAYS, "start, stop, update, configuration", "网关事件", "supervisor"),
)

GATEWAY = DeviceKind(
    name="gateway",
    en="gateway",
    zh="网关",
    signals=(
        *blocks.CLOCK,
        *blocks.HOST,
        *if_fitted(blocks.UPS),
        *_OWN,
    ),
)
