"""Blocks of signals that several device kinds share, each declared once."""

from contracts.signals import (
    ALWAYS,
    IF_FITTED,
    UNBOUNDED,
    counter,
    event,
    gauge,
    percent,
    state,
)

LINK = (
    state("link/state", ALWAYS, 60, "up:o degraded:d down:f unknown:u", "connection to the device", "设备连接", "derived: XFS all/some/no services connected; ONVIF calls and pull-point; SNMP replies; DC-09 supervision; HTTP poll or push age"),
    gauge("link/round_trip", IF_FITTED, 300, "s", percent(20), (0, 60), "request round trip", "请求往返时延", "Common.Status, GetSystemDateAndTime, live-sum.json, SNMP get"),
    counter("link/reconnects", ALWAYS, 900, "reconnections", "重连次数", "derived"),
    counter("link/protocol_errors", ALWAYS, 900, "messages refused (schema, CRC, HTTP 5xx, NAK/DUH sent)", "协议错误次数", "derived"),
    event("link/identity", ALWAYS, "serial, model or firmware changed", "设备身份变更", "Capabilities.deviceInformation, GetDeviceInformation, device_sn, account"),
)

CLOCK = (
    gauge("clock/skew", ALWAYS, 900, "s", 1, UNBOUNDED, "device clock minus gateway clock", "设备时钟偏差", "GetSystemDateAndTime; DC-09 timestamp; Axis timestamp, Milesight end_time; hrSystemDate (1.3.6.1.2.1.25.1.2.0); gateway: NTP offset. P = I on atm and sst"),
)

MODULE = (
    state("{m}/device", ALWAYS, 300, "online:o offline:f powerOff:f noDevice:f hardwareError:f userError:d deviceBusy:o fraudAttempt:f potentialFraud:d starting:u unknown:u", "module state", "模块状态", "Common.Status common.device, Common.StatusChangedEvent"),
    counter("{m}/errors", ALWAYS, 900, "module errors since enrolment", "模块错误累计", "derived: Common.ErrorEvent with eventId hardware or software"),
    event("{m}/error", ALWAYS, "module error text", "模块错误说明", "Common.ErrorEvent (action chooses the party: clear, maintenance, softwareError, configuration, reset, suspend)"),
)
"""One hardware module ``{m}`` of an XFS service provider."""

AUXILIARIES = (
    state("aux/operator_switch", IF_FITTED, 900, "run:o maintenance:m supervisor:m unknown:u", "operator switch", "操作员开关", "auxiliaries.operatorSwitch"),
    state("aux/safe_door", IF_FITTED, 900, "closed:o open:d locked:o bolted:o tampered:f unknown:u", "safe door", "保险柜门", "auxiliaries.safeDoor (2021: cashManagement.safeDoor)"),
    state("aux/cabinet_door", IF_FITTED, 900, "closed:o open:d locked:o bolted:o tampered:f unknown:u", "cabinet door", "上箱体门", "auxiliaries.cabinetDoor"),
    state("aux/cabinet_front_door", IF_FITTED, 900, "closed:o open:d locked:o bolted:o tampered:f unknown:u", "front door", "前门", "auxiliaries.cabinetFrontDoor"),
    state("aux/cabinet_rear_door", IF_FITTED, 900, "closed:o open:d locked:o bolted:o tampered:f unknown:u", "rear door", "后门", "auxiliaries.cabinetRearDoor"),
    state("aux/vandal_shield", IF_FITTED, 900, "closed:o open:o locked:o service:m keyboard:o partiallyOpen:d jammed:f tampered:f unknown:u", "vandal shield", "防护挡板", "auxiliaries.vandalShield"),
    state("aux/tamper", IF_FITTED, 900, "off:o on:f unknown:u", "tamper sensor", "防拆传感器", "auxiliaries.tamperSensor"),
    state("aux/internal_tamper", IF_FITTED, 900, "off:o on:f unknown:u", "internal tamper sensor", "内部防拆传感器", "auxiliaries.internalTamperSensor"),
    state("aux/seismic", IF_FITTED, 900, "off:o on:f unknown:u", "seismic sensor", "震动传感器", "auxiliaries.seismicSensor"),
    state("aux/heat", IF_FITTED, 900, "off:o on:f unknown:u", "heat sensor", "温感传感器", "auxiliaries.heatSensor"),
    state("aux/proximity", IF_FITTED, 900, "present:o notPresent:o unknown:u", "person in front", "机前有人", "auxiliaries.proximitySensor"),
    state("aux/consumer_display", IF_FITTED, 900, "off:d on:o displayError:f unknown:u", "customer display", "客户显示屏", "auxiliaries.consumerDisplaySensor (2021: displaySensor)"),
    state("aux/open_closed_indicator", IF_FITTED, 900, "closed:d open:o unknown:u", "open/closed indicator", "营业指示", "auxiliaries.openClosedIndicator"),
    state("aux/audible_alarm", IF_FITTED, 900, "on:d off:o unknown:u", "local sounder", "本机警报器", "auxiliaries.audibleAlarm"),
)

VENDOR_MODE = (
    state("vdm/service", ALWAYS, 300, "enterPending:m active:m exitPending:m inactive:o unknown:u", "vendor mode", "厂商维护模式", "vendorMode.service, ModeEnteredEvent, ModeExitedEvent"),
    state("vdm/access_level", IF_FITTED, 900, "notActive:o basic:m intermediate:m full:m unknown:u", "vendor application access level", "维护程序权限级别", "vendorApplication.accessLevel"),
)

HOST = (
    gauge("host/uptime", ALWAYS, 3600, "s", 0, (0, None), "uptime", "运行时长", "hrSystemUptime; gw: operating system"),
    counter("host/reboots", ALWAYS, 3600, "restarts of the computer", "主机重启次数", "derived: uptime went back"),
    gauge("host/cpu", ALWAYS, 300, "/", 0.1, (0, 1), "processor load, mean of cores", "处理器占用率", "hrProcessorLoad"),
    gauge("host/memory_used", ALWAYS, 300, "/", 0.03, (0, 1), "memory in use", "内存占用率", "hrStorageUsed / hrStorageSize (type RAM)"),
    gauge("host/disk{n}/used", ALWAYS, 900, "/", 0.01, (0, 1), "disk in use", "磁盘占用率", "hrStorageUsed / hrStorageSize (type fixed disk)"),
    state("host/app/state", ALWAYS, 300, "running:o runnable:o notRunnable:d invalid:f missing:f unknown:u", "watched application process", "应用进程状态", "hrSWRunStatus of the configured process name; `missing` = no such row"),
    counter("host/app/restarts", ALWAYS, 900, "application restarts", "应用重启次数", "derived: process id changed"),
    state("host/net{n}/oper_status", IF_FITTED, 300, "up:o down:f testing:m unknown:u dormant:d notPresent:d lowerLayerDown:f", "network port", "网口状态", "ifOperStatus (order of IF-MIB, hence unknown inside)"),
    gauge("host/net{n}/in_rate", IF_FITTED, 300, "bit/s", percent(25), (0, None), "received traffic", "入向流量", "ifHCInOctets × 8 / t"),
    gauge("host/net{n}/out_rate", IF_FITTED, 300, "bit/s", percent(25), (0, None), "sent traffic", "出向流量", "ifHCOutOctets × 8 / t"),
)

UPS = (
    state("ups/source", ALWAYS, 300, "other:u none:f normal:o bypass:d battery:d booster:d reducer:d unknown:u", "output source", "UPS 输出来源", "upsOutputSource"),
    state("ups/battery", ALWAYS, 300, "normal:o low:d depleted:f unknown:u failure:f", "battery state", "电池状态", "upsBatteryStatus; failure from XFS"),
    gauge("ups/seconds_on_battery", IF_FITTED, 300, "s", 30, (0, None), "time on battery", "电池供电时长", "upsSecondsOnBattery"),
    gauge("ups/runtime", IF_FITTED, 300, "s", 60, (0, None), "estimated runtime left", "预计剩余时长", "upsEstimatedMinutesRemaining × 60"),
    gauge("ups/charge", IF_FITTED, 300, "%EL", 2, (0, 100), "battery charge", "电池电量", "upsEstimatedChargeRemaining"),
    gauge("ups/battery_voltage", IF_FITTED, 900, "V", percent(2), (0, 500), "battery voltage", "电池电压", "upsBatteryVoltage / 10"),
    gauge("ups/battery_temperature", IF_FITTED, 900, "Cel", 1, (-20, 80), "battery temperature", "电池温度", "upsBatteryTemperature"),
    gauge("ups/input_voltage", IF_FITTED, 300, "V", percent(2), (0, 300), "input voltage", "输入电压", "upsInputVoltage"),
    gauge("ups/input_frequency", IF_FITTED, 900, "Hz", 0.3, (0, 100), "input frequency", "输入频率", "upsInputFrequency / 10"),
    counter("ups/line_bads", IF_FITTED, 900, "input out of tolerance", "市电异常次数", "upsInputLineBads"),
    gauge("ups/load", IF_FITTED, 300, "/", 0.05, (0, 2), "output load", "负载率", "upsOutputPercentLoad / 100"),
    state("ups/battery_bad", IF_FITTED, 900, "false:o true:d unknown:u", "battery needs replacing", "电池需更换", "upsAlarmBatteryBad in upsAlarmTable"),
    state("ups/overload", IF_FITTED, 300, "false:o true:d unknown:u", "overload", "过载", "upsAlarmOutputOverload"),
    state("ups/charger_failed", IF_FITTED, 900, "false:o true:d unknown:u", "charger failed", "充电器故障", "upsAlarmChargerFailed"),
    state("ups/fan_failure", IF_FITTED, 900, "false:o true:d unknown:u", "fan failed", "UPS 风扇故障", "upsAlarmFanFailure"),
)
