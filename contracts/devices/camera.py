"""Camera, read over ONVIF and RTSP."""

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
    state("link/auth", ALWAYS, 900, "authorized:o notAuthorized:f unknown:u", "credentials accepted", "登录鉴权", "SOAP fault ter:NotAuthorized, HTTP 401"),
    state("link/subscription", ALWAYS, 300, "active:o lost:d unknown:u", "event subscription", "事件订阅", "CreatePullPointSubscription, Renew, PullMessages"),
    gauge("clock/sync_age", IF_FITTED, 3600, "s", 3600, (0, None), "time since the clock was synchronised", "距上次校时时长", "Monitoring/OperatingTime/LastClockSynchronization"),
    state("video/signal_loss", ALWAYS, 300, "false:o true:f unknown:u", "video signal lost", "视频丢失", "VideoSource/SignalLoss State"),
    state("video/scene_change", IF_FITTED, 900, "false:o true:f unknown:u", "scene changed: moved or covered", "场景变化", "VideoSource/GlobalSceneChange State"),
    state("video/tamper", IF_FITTED, 900, "false:o true:f unknown:u", "tampering detected", "视频遮挡", "RuleEngine/TamperDetector/Tamper IsTamper"),
    state("video/too_dark", IF_FITTED, 900, "false:o true:d unknown:u", "picture too dark", "画面过暗", "VideoSource/ImageTooDark State"),
    state("video/too_bright", IF_FITTED, 900, "false:o true:d unknown:u", "picture too bright", "画面过亮", "VideoSource/ImageTooBright State"),
    state("video/too_blurry", IF_FITTED, 900, "false:o true:d unknown:u", "picture blurred", "画面虚焦", "VideoSource/ImageTooBlurry State"),
    state("video/impaired_visibility", IF_FITTED, 900, "false:o true:d unknown:u", "view impaired: fog, smoke, dirt", "能见度下降", "VideoSource/ImpairedVisibility State"),
    state("video/motion", IF_FITTED, 900, "false:o true:o unknown:u", "motion", "移动侦测", "VideoSource/MotionAlarm, CellMotionDetector"),
    state("rtsp/state", ALWAYS, 300, "ok:o noVideo:f noPackets:f notFound:f unauthorized:f refused:f timeout:f unknown:u", "stream probe result", "视频流探测", "derived: OPTIONS, DESCRIBE, PLAY ladder"),
    gauge("rtsp/connect_time", ALWAYS, 900, "s", percent(25), (0, 10), "stream connect time", "取流连接时长", "derived"),
    gauge("rtsp/bitrate", IF_FITTED, 900, "bit/s", percent(25), (0, None), "stream bit rate", "码率", "derived: RTP bytes over 3 s"),
    gauge("rtsp/packet_loss", IF_FITTED, 900, "/", 0.005, (0, 1), "stream packet loss", "丢包率", "derived: RTP sequence gaps"),
    state("hardware/fan_failure", IF_FITTED, 900, "false:o true:d unknown:u", "fan failed", "风扇故障", "Device/HardwareFailure/FanFailure Failed"),
    state("hardware/power_supply_failure", IF_FITTED, 900, "false:o true:d unknown:u", "power supply failed", "电源故障", "Device/HardwareFailure/PowerSupplyFailure Failed"),
    state("hardware/storage_failure", IF_FITTED, 900, "false:o true:f unknown:u", "storage failed", "存储故障", "Device/HardwareFailure/StorageFailure Failed"),
    state("hardware/temperature_critical", IF_FITTED, 900, "false:o true:f unknown:u", "temperature critical", "温度超限", "Device/HardwareFailure/TemperatureCritical Critical"),
    gauge("hardware/temperature", IF_FITTED, 900, "Cel", 1, (-40, 100), "device temperature", "设备温度", "Monitoring/EnvironmentalConditions/Temperature"),
    gauge("hardware/cpu", IF_FITTED, 900, "/", 0.1, (0, 1), "processor load", "处理器占用率", "Monitoring/ProcessorUsage (0–1 or 0–100 normalised)"),
    state("recording/state", IF_FITTED, 300, "Idle:d Active:o PartiallyActive:d Error:f unknown:u", "recording job (worst)", "录像任务", "RecordingConfig/JobState State"),
    gauge("recording/retention", IF_FITTED, 3600, "s", 3600, (0, None), "age of the oldest recording", "录像保存时长", "GetRecordingSummary: now − DataFrom"),
    gauge("recording/lag", IF_FITTED, 900, "s", 60, (0, None), "age of the newest recording", "录像滞后时长", "GetRecordingSummary: now − DataUntil"),
    counter("device/reboots", ALWAYS, 3600, "restarts", "重启次数", "derived: Monitoring/OperatingTime/LastReboot changed"),
    counter("device/auth_failures", IF_FITTED, 900, "failed logins at the camera", "登录失败次数", "Device/SecurityPolicy/AuthFailed"),
    state("io/input{n}/state", IF_FITTED, 900, "false:o true:o unknown:u", "digital input", "开关量输入", "Device/Trigger/DigitalInput LogicalState"),
    state("io/relay{n}/state", IF_FITTED, 900, "inactive:o active:o unknown:u", "relay output", "继电器输出", "Device/Trigger/Relay LogicalState"),
    event("device/event", IF_FITTED, "other device events", "其他设备事件", "OperationMode, LinkStatus, unlisted topics"),
)

CAMERA = DeviceKind(
    name="camera",
    en="camera",
    zh="摄像机",
    signals=(*blocks.LINK, *blocks.CLOCK, *_OWN),
)
