"""Self-service terminal: XFS4IoT modules, and a computer, an A4 printer and a power supply read over SNMP."""

from contracts.devices import blocks
from contracts.signals import (
    ALWAYS,
    IF_FITTED,
    DeviceKind,
    counter,
    event,
    for_component,
    gauge,
    if_fitted,
    state,
)

_OWN = (
    gauge("link/services_missing", ALWAYS, 300, "count", 1, (0, None), "services known but not answering", "未响应服务数", "derived"),
    state("idc/media", IF_FITTED, 900, "present:o notPresent:o jammed:f entering:o latched:o unknown:u", "card in the reader", "读卡器内卡片", "cardReader.media"),
    state("idc/chip_power", IF_FITTED, 900, "online:o busy:o poweredOff:o noDevice:d hardwareError:f noCard:o unknown:u", "chip power", "芯片上电状态", "cardReader.chipPower"),
    state("idc/chip_module", IF_FITTED, 900, "ok:o inoperable:f unknown:u", "chip contact unit", "芯片读写模块", "cardReader.chipModule"),
    state("idc/anti_fraud", IF_FITTED, 300, "ok:o inoperable:d deviceDetected:f unknown:u", "anti-skimming module", "防侧录模块", "common.antiFraudModule"),
    counter("idc/insertions", IF_FITTED, 900, "card insertions", "插卡次数", "derived"),
    counter("idc/short_insertions", IF_FITTED, 900, "cards given back within 8 s", "快速退卡次数", "derived"),
    counter("idc/retained", IF_FITTED, 900, "cards retained", "吞卡次数", "derived"),
    gauge("idc/retain{n}/count", IF_FITTED, 900, "count", 1, (0, None), "cards in the retain bin", "吞卡盒张数", "card.status.count"),
    state("idc/retain{n}/replenishment", IF_FITTED, 900, "ok:o full:f high:d low:o empty:o unknown:u", "retain bin fill state", "吞卡盒状态", "card.status.replenishmentStatus"),
    gauge("idc/stock{n}/count", IF_FITTED, 900, "count", 1, (0, None), "blank cards in stock", "发卡箱余卡数", "card.status.count, type dispense"),
    state("idc/stock{n}/replenishment", IF_FITTED, 900, "ok:o full:o high:o low:d empty:f unknown:u", "card stock state", "发卡箱状态", "card.status.replenishmentStatus"),
    state("pin/encryption_state", IF_FITTED, 300, "ready:o notReady:f notInitialized:f busy:o undefined:f initialized:d unknown:u", "encryption module", "加密模块状态", "keyManagement.encryptionState"),
    event("pin/illegal_key_access", IF_FITTED, "illegal key access", "非法密钥访问", "KeyManagement.IllegalKeyAccessEvent"),
    state("prr/media", IF_FITTED, 900, "present:o notPresent:o jammed:f entering:o retracted:o unknown:u", "paper in the receipt exit", "凭条出口介质", "printer.media"),
    state("prr/{source}/paper", IF_FITTED, 900, "full:o low:d out:f jammed:f unknown:u", "receipt paper", "凭条纸", "printer.paper.*"),
    counter("prr/presentations", IF_FITTED, 900, "receipts presented", "凭条打印次数", "derived"),
    state("prr/retract{n}/replenishment", IF_FITTED, 900, "ok:o full:d unknown:u high:d", "retract bin of the printer", "凭条回收箱状态", "storage printer.status"),
    state("prp/media", IF_FITTED, 900, "present:o notPresent:o jammed:f entering:o retracted:o unknown:u", "passbook in the printer", "存折打印机介质", "printer.media"),
    state("prp/ink", IF_FITTED, 900, "full:o low:d out:f unknown:u", "passbook ribbon or ink", "存折色带", "printer.ink, InkThresholdEvent"),
    state("prs/status", IF_FITTED, 900, "other:u unknown:u idle:o printing:o warmup:o", "A4 printer activity", "A4 打印机活动", "hrPrinterStatus"),
    state("prs/device", IF_FITTED, 300, "unknown:u running:o warning:d testing:m down:f", "A4 printer device state", "A4 打印机设备状态", "hrDeviceStatus"),
    state("prs/paper", IF_FITTED, 900, "ok:o lowPaper:d noPaper:f inputTrayMissing:f inputTrayEmpty:f unknown:u", "A4 paper", "A4 纸", "hrPrinterDetectedErrorState bits 0, 1, 8, 13; the last that is set wins"),
    state("prs/toner", IF_FITTED, 900, "ok:o lowToner:d noToner:f markerSupplyMissing:f unknown:u", "toner", "碳粉", "bits 2, 3, 10"),
    state("prs/path", IF_FITTED, 900, "ok:o outputNearFull:d outputTrayMissing:d doorOpen:d outputFull:f jammed:f unknown:u", "paper path and output", "纸路与出纸", "bits 11, 9, 4, 12, 5; the last that is set wins"),
    state("prs/service", IF_FITTED, 900, "ok:o overduePreventMaint:d serviceRequested:d offline:f unknown:u", "service request", "维护请求", "bits 14, 7, 6; the last that is set wins"),
    gauge("prs/toner_level", IF_FITTED, 3600, "/", 0.02, (0, 1), "toner left", "碳粉余量", "prtMarkerSuppliesLevel / MaxCapacity (negative → absent)"),
    gauge("prs/paper_level", IF_FITTED, 3600, "/", 0.05, (0, 1), "paper left", "纸盒余量", "prtInputCurrentLevel / MaxCapacity (negative → absent)"),
    counter("prs/pages", IF_FITTED, 3600, "pages printed", "累计打印页数", "prtMarkerLifeCount"),
    state("scn/media", IF_FITTED, 900, "present:o notPresent:o jammed:f entering:o retracted:o unknown:u", "document in the scanner", "扫描仪介质", "printer.media (type scanner)"),
    state("bcr/scanner", IF_FITTED, 900, "on:o off:o inoperative:f unknown:u", "code scanner", "扫码模块", "barcodeReader.scanner"),
    state("bio/subject", IF_FITTED, 900, "present:o notPresent:o unknown:u", "finger or face at the sensor", "生物识别对象在位", "biometric.subject"),
    state("idr/media", IF_FITTED, 900, "present:o notPresent:o jammed:f entering:o latched:o unknown:u", "identity card in the reader", "身份证读取器介质", "cardReader.media"),
    state("cam/{view}/state", IF_FITTED, 900, "ok:o inop:f unknown:u", "built-in camera; view = room, person, exitSlot", "内置摄像头", "camera.cameras.*"),
    state("cam/{view}/media", IF_FITTED, 900, "ok:o high:d full:f unknown:u", "its recording medium", "内置摄像头存储", "camera.media.*"),
)

_MODULES = ("idc", "pin", "prr", "nfc", "prp", "scn", "bcr", "bio", "idr")

SELF_SERVICE_TERMINAL = DeviceKind(
    name="self_service_terminal",
    en="self-service terminal",
    zh="自助终端",
    signals=(
        *blocks.LINK,
        *if_fitted(blocks.CLOCK),
        *(row for component in _MODULES for row in for_component(blocks.MODULE, component, IF_FITTED)),
        *blocks.AUXILIARIES,
        *if_fitted(blocks.VENDOR_MODE),
        *blocks.HOST,
        *if_fitted(blocks.UPS),
        *_OWN,
    ),
)
