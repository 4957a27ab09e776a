"""Alarm panel: an intruder alarm that reports over SIA DC-09.

Contact ID reports edges only: qualifier 1 sets, 3 restores, 6 repeats. Until the first report a signal is ``unknown``,
which raises nothing.
"""

from contracts.devices import blocks
from contracts.signals import (
    ALWAYS,
    IF_FITTED,
    DeviceKind,
    counter,
    event,
    gauge,
    state,
)

_OWN = (
    gauge("link/supervision_age", ALWAYS, 60, "s", 30, (0, None), "time since the last message", "距上次来讯时长", "derived: any frame incl. NULL"),
    counter("link/duplicates", ALWAYS, 3600, "repeated messages acknowledged again", "重发消息数", "derived"),
    event("panel/event", ALWAYS, "every event as received", "报警主机事件", "DC-09 data block"),
    counter("panel/events", ALWAYS, 900, "events received", "事件累计", "derived"),
    state("panel/ac_power", ALWAYS, 900, "restored:o loss:d unknown:u", "mains", "交流供电", "301; SIA AT/AR"),
    state("panel/battery", ALWAYS, 900, "restored:o low:d missing:f testFailed:f unknown:u", "standby battery", "备用电池", "302 YT/YR, 311 YM, 309 YT"),
    state("panel/power_supply", IF_FITTED, 900, "restored:o trouble:d overcurrent:d unknown:u", "power supply", "电源模块", "337, 312 YP/YQ"),
    state("panel/system", ALWAYS, 900, "restored:o trouble:d unknown:u", "system trouble", "系统故障", "300, 303, 304, 307, 308, 310; YX/YZ (305 reset: event only)"),
    state("panel/expander", IF_FITTED, 900, "restored:o trouble:f unknown:u", "expander or bus", "扩展模块与总线", "143, 330, 333, 338, 342, 382; ET/ER"),
    state("panel/tamper", ALWAYS, 900, "restored:o tamper:f unknown:u", "panel or module tamper", "主机防拆", "137, 145, 341; TA/TR"),
    state("panel/siren", IF_FITTED, 900, "restored:o trouble:f unknown:u", "siren circuit", "警号回路", "320, 321, 322; RC/RO, YX/YZ"),
    state("panel/rf_jam", IF_FITTED, 900, "restored:o jam:f unknown:u", "radio receiver jammed", "无线干扰", "344"),
    state("panel/programming", ALWAYS, 900, "inactive:o active:m unknown:u", "installer programming", "编程状态", "627 LB, 628 LX"),
    event("panel/program_changed", IF_FITTED, "program changed", "编程已更改", "306"),
    state("panel/walk_test", ALWAYS, 900, "inactive:o active:m unknown:u", "walk test", "步行测试", "607"),
    counter("panel/tests", ALWAYS, 3600, "periodic tests received", "定期测试次数", "602 RP, 608"),
    counter("panel/manual_tests", ALWAYS, 3600, "manual tests received", "手动测试次数", "601 RX, 604"),
    counter("panel/wrong_codes", IF_FITTED, 900, "wrong codes, access refused", "错误密码次数", "461, 421; DD"),
    gauge("panel/bypassed_zones", ALWAYS, 900, "count", 1, (0, None), "zones bypassed now", "当前旁路防区数", "derived from zone{n}/bypass and 571–574"),
    state("comm/telco1", IF_FITTED, 900, "restored:o trouble:d unknown:u", "path 1", "传输通道一", "351; LT/LR"),
    state("comm/telco2", IF_FITTED, 900, "restored:o trouble:d unknown:u", "path 2", "传输通道二", "352; LT/LR"),
    state("comm/radio", IF_FITTED, 900, "restored:o trouble:d unknown:u", "radio path", "无线通道", "353, 355; YC/YK"),
    state("comm/report", IF_FITTED, 900, "restored:o trouble:f unknown:u", "panel could not report", "上报失败", "350, 354, 356; YC/YK"),
    state("area{n}/arming", ALWAYS, 900, "disarmed:o armed:o armedStay:o unknown:u", "arming state", "布撤防状态", "400–404, 407–409 (Q1 disarmed, Q3 armed), 441, 442; OP/CL, OA/CA, OQ/CQ"),
    state("area{n}/schedule", IF_FITTED, 900, "onTime:o earlyOpen:d lateOpen:d failToOpen:d earlyClose:o lateClose:d failToClose:f autoArmFailed:f exitError:d unknown:u", "against the panel's own schedule", "时间表执行", "451 early, 452 late (Q1 open, Q3 close), 453 not opened, 454 not closed, 455 auto-arm failed, 457 exit error; SIA OK, OJ, OI, CK, CJ, CI, EE (from memory); back to onTime at the next regular open or close"),
    event("area{n}/operation", ALWAYS, "opened or closed by", "布撤防操作", "400–409"),
    counter("area{n}/cancels", IF_FITTED, 900, "alarms cancelled by a user", "用户取消报警次数", "406; OC"),
    event("area{n}/duress", ALWAYS, "duress code used", "胁迫码", "121, 124, 125; HA"),
    state("zone{n}/alarm", ALWAYS, 900, "restored:o burglary:f burglaryConfirmed:f holdUp:f fire:f medical:f gas:f water:f heat:f cold:f co:f general:f unknown:u", "alarm in the zone", "防区报警", "burglary 130–136, 138, 146; confirmed 139; holdUp 120, 122, 123; fire 110–115, 117, 118; medical 100, 101; gas 151, water 154, heat 158, cold 159, co 162, general 140, 150"),
    state("zone{n}/tamper", ALWAYS, 900, "restored:o tamper:f unknown:u", "detector tamper", "防区防拆", "383, 144; TA/TR"),
    state("zone{n}/trouble", ALWAYS, 900, "restored:o trouble:d unknown:u", "detector or loop trouble", "防区故障", "373, 380; FT/FJ"),
    state("zone{n}/supervision", IF_FITTED, 900, "restored:o trouble:d unknown:u", "radio or bus supervision", "防区失联", "147, 381"),
    state("zone{n}/battery", IF_FITTED, 900, "restored:o low:d unknown:u", "detector battery", "探测器电池", "384"),
    state("zone{n}/bypass", ALWAYS, 900, "unbypassed:o bypassed:d unknown:u", "zone bypassed", "防区旁路", "570, 571–574; BB/BU"),
    counter("zone{n}/alarms", ALWAYS, 3600, "alarms from the zone", "防区报警次数", "derived"),
)

ALARM_PANEL = DeviceKind(
    name="alarm_panel",
    en="alarm panel",
    zh="报警主机",
    signals=(
        *blocks.LINK,
        *blocks.CLOCK,
        *_OWN,
    ),
)
