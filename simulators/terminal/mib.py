"""The terminal's objects: HOST-RESOURCES, IF, Printer and UPS MIB out of the physical model.

Source: RFC 2790, RFC 2863, RFC 3805, RFC 1628; alert groups and codes of the printer from memory, unverified.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from simulators.terminal import ber
from simulators.terminal.ber import Oid
from simulators.terminal.computer import DISK_BYTES, MEMORY_BYTES
from simulators.terminal.machine import Terminal
from simulators.terminal.mib_view import MibView
from simulators.terminal.office_printer import TONER_PAGES, TRAY_SHEETS, ErrorBit
from simulators.world import CHINA

_MIB_2: Final[Oid] = (1, 3, 6, 1, 2, 1)
_SYSTEM: Final[Oid] = (*_MIB_2, 1)
_INTERFACES: Final[Oid] = (*_MIB_2, 2)
_HOST: Final[Oid] = (*_MIB_2, 25)
_IF_X: Final[Oid] = (*_MIB_2, 31, 1, 1, 1)
_UPS: Final[Oid] = (*_MIB_2, 33, 1)
_PRINTER: Final[Oid] = (*_MIB_2, 43)

_UNIT_BYTES: Final = 4096
_PROCESSOR, _NETWORK, _LASER, _DISK = 3, 4, 5, 6  # hrDeviceTypes
_FIRST_PROCESSOR: Final = 3
_PRINTER_DEVICE: Final = 1
_RUNNING, _WARNING, _DOWN = 2, 3, 5
_UP, _IF_DOWN = 1, 2
_ETHERNET, _LOOPBACK = 6, 24
_UNKNOWN_LEVEL: Final = -2


@dataclass(frozen=True, slots=True)
class SnmpQuirks:
    """How one maker's agent differs from the standard's letter; the default does not.

    Attributes:
        short_error_bits: octets of hrPrinterDetectedErrorState that are all 0 are left out at its end.
        no_levels: toner and paper levels are unknown (-2).
        date_without_zone: hrSystemDate has 8 octets, local time without its offset.
        counters_32_only: no 64-bit octet counters.
    """

    short_error_bits: bool = False
    no_levels: bool = False
    date_without_zone: bool = False
    counters_32_only: bool = False


def mib(terminal: Terminal, quirks: SnmpQuirks, now_ms: int, local_at: datetime) -> MibView:
    """All objects at a moment.

    Args:
        terminal: the terminal.
        quirks: how its agent differs.
        now_ms: real time.
        local_at: local time of the world.
    """
    view = MibView()
    _system(view, terminal, now_ms)
    _interfaces(view, terminal, quirks)
    _host(view, terminal, quirks, now_ms, local_at)
    _office_printer(view, terminal, quirks, now_ms)
    _power(view, terminal, now_ms, local_at)
    return view


def _ticks(milliseconds: int) -> bytes:
    return ber.integer(milliseconds // 10 % (1 << 32), ber.TIME_TICKS)


def _rows(values: list[bytes], first: int = 1) -> dict[Oid, bytes]:
    return {(index,): value for index, value in enumerate(values, first)}


def _system(view: MibView, terminal: Terminal, now_ms: int) -> None:
    view.scalar((*_SYSTEM, 1), ber.octets(f"{terminal.model} self-service terminal, SNMP service 2.1"))
    view.scalar((*_SYSTEM, 2), ber.object_id((1, 3, 6, 1, 4, 1, 8072, 3, 2, 13)))
    view.scalar((*_SYSTEM, 3), _ticks(terminal.computer.uptime_ms(now_ms)))
    view.scalar((*_SYSTEM, 5), ber.octets(f"KIOSK-{terminal.serial}"))


def _interfaces(view: MibView, terminal: Terminal, quirks: SnmpQuirks) -> None:
    ports = terminal.computer.ports
    names = ["lo", *(port.name for port in ports)]
    ups = [True, *(port.up for port in ports)]
    received = [0, *(port.received_bytes for port in ports)]
    sent = [0, *(port.sent_bytes for port in ports)]
    table: Oid = (*_INTERFACES, 2, 1)
    view.scalar((*_INTERFACES, 1), ber.integer(len(names)))
    view.column((*table, 1), _rows([ber.integer(index) for index in range(1, len(names) + 1)]))
    view.column((*table, 2), _rows([ber.octets(name) for name in names]))
    view.column((*table, 3), _rows([ber.integer(_ETHERNET if index else _LOOPBACK) for index in range(len(names))]))
    view.column((*table, 5), _rows([ber.integer(1_000_000_000, ber.GAUGE_32) for _ in names]))
    view.column((*table, 7), _rows([ber.integer(_UP) for _ in names]))
    view.column((*table, 8), _rows([ber.integer(_UP if up else _IF_DOWN) for up in ups]))
    view.column((*table, 10), _rows([ber.integer(count % (1 << 32), ber.COUNTER_32) for count in received]))
    view.column((*table, 16), _rows([ber.integer(count % (1 << 32), ber.COUNTER_32) for count in sent]))
    view.column((*_IF_X, 1), _rows([ber.octets(name) for name in names]))
    if not quirks.counters_32_only:
        view.column((*_IF_X, 6), _rows([ber.integer(count, ber.COUNTER_64) for count in received]))
        view.column((*_IF_X, 10), _rows([ber.integer(count, ber.COUNTER_64) for count in sent]))


def _host(view: MibView, terminal: Terminal, quirks: SnmpQuirks, now_ms: int, local_at: datetime) -> None:
    computer = terminal.computer
    clock_at = datetime.fromtimestamp((now_ms + computer.skew_ms) / 1000, CHINA)
    processes = ["System", "snmpd.exe", "xfs4iot-host.exe", *([] if computer.app_crashed else [computer.application])]
    view.scalar((*_HOST, 1, 1), _ticks(computer.uptime_ms(now_ms)))
    view.scalar((*_HOST, 1, 2), ber.octets(date_and_time(clock_at, with_zone=not quirks.date_without_zone)))
    view.scalar((*_HOST, 1, 6), ber.integer(len(processes), ber.GAUGE_32))
    view.scalar((*_HOST, 2, 2), ber.integer(MEMORY_BYTES // 1024))

    memory = computer.memory_used(local_at)
    stores = (
        (2, "Physical Memory", MEMORY_BYTES, memory),
        (3, "Virtual Memory", 2 * MEMORY_BYTES, memory / 2),
        (4, "C:\\ Label:System", DISK_BYTES, computer.disk_used(local_at)),
    )
    table: Oid = (*_HOST, 2, 3, 1)
    view.column((*table, 1), _rows([ber.integer(index) for index in range(1, len(stores) + 1)]))
    view.column((*table, 2), _rows([ber.object_id((*_HOST, 2, 1, kind)) for kind, _, _, _ in stores]))
    view.column((*table, 3), _rows([ber.octets(name) for _, name, _, _ in stores]))
    view.column((*table, 4), _rows([ber.integer(_UNIT_BYTES) for _ in stores]))
    view.column((*table, 5), _rows([ber.integer(size // _UNIT_BYTES) for _, _, size, _ in stores]))
    view.column((*table, 6), _rows([ber.integer(round(size * used) // _UNIT_BYTES) for _, _, size, used in stores]))

    printer = terminal.office_printer
    errors = printer.errors()
    down = {ErrorBit.NO_PAPER, ErrorBit.NO_TONER, ErrorBit.JAMMED, ErrorBit.DOOR_OPEN} & set(errors)
    printer_status = _DOWN if down else _WARNING if errors else _RUNNING
    devices = [
        (_LASER, f"Laser printer A4 S/N {printer.serial}", printer_status),
        (_DISK, "SSD 240 GB", _RUNNING),
        *((_PROCESSOR, f"CPU core {core}", _RUNNING) for core in range(computer.cores)),
    ]
    kinds = {_LASER: 5, _DISK: 6, _PROCESSOR: 3}
    table = (*_HOST, 3, 2, 1)
    view.column((*table, 1), _rows([ber.integer(index) for index in range(1, len(devices) + 1)]))
    view.column((*table, 2), _rows([ber.object_id((*_HOST, 3, 1, kinds[kind])) for kind, _, _ in devices]))
    view.column((*table, 3), _rows([ber.octets(name) for _, name, _ in devices]))
    view.column((*table, 5), _rows([ber.integer(state) for _, _, state in devices]))
    load = ber.integer(round(100 * computer.load()))
    view.column((*_HOST, 3, 3, 1, 2), _rows([load] * computer.cores, _FIRST_PROCESSOR))
    activity = 4 if printer.printing else 1 if down else 3
    view.column((*_HOST, 3, 5, 1, 1), _rows([ber.integer(activity)]))
    view.column((*_HOST, 3, 5, 1, 2), _rows([ber.octets(error_bits(errors, short=quirks.short_error_bits))]))

    # The watched application is the last; its index is its process id, as in the usual agents.
    ids = [4, 812, 1490, computer.process_id][: len(processes)]
    table = (*_HOST, 4, 2, 1)
    view.column((*table, 1), {(number,): ber.integer(number) for number in ids})
    view.column((*table, 2), {(n,): ber.octets(name) for n, name in zip(ids, processes, strict=True)})
    view.column((*table, 4), {(n,): ber.octets(f"C:\\Kiosk\\{p}") for n, p in zip(ids, processes, strict=True)})
    view.column((*table, 6), {(number,): ber.integer(4) for number in ids})
    view.column(
        (*table, 7),
        {(n,): ber.integer(3 if computer.app_hangs and n == computer.process_id else 1) for n in ids},
    )


def date_and_time(at: datetime, *, with_zone: bool) -> bytes:
    """DateAndTime of SNMPv2-TC: 11 octets with the offset from UTC, 8 without."""
    moment = at.year.to_bytes(2, "big") + bytes(
        (at.month, at.day, at.hour, at.minute, at.second, at.microsecond // 100_000)
    )
    if not with_zone:
        return moment
    minutes = int((at.utcoffset() or timedelta()).total_seconds() // 60)
    sign = b"+" if minutes >= 0 else b"-"
    return moment + sign + bytes(divmod(abs(minutes), 60))


def error_bits(errors: list[ErrorBit], *, short: bool) -> bytes:
    """hrPrinterDetectedErrorState: bit 0 is the highest of the first octet."""
    bits = 0
    for error in errors:
        bits |= 1 << (15 - error)
    value = bits.to_bytes(2, "big")
    return value.rstrip(b"\x00") if short else value


_ALERTS: Final[dict[ErrorBit, tuple[int, int, int, str]]] = {
    ErrorBit.LOW_PAPER: (4, 8, 807, "Paper low in tray 1"),
    ErrorBit.NO_PAPER: (3, 8, 808, "Tray 1 empty"),
    ErrorBit.LOW_TONER: (4, 11, 1104, "Toner low"),
    ErrorBit.NO_TONER: (3, 11, 1101, "Toner empty"),
    ErrorBit.DOOR_OPEN: (3, 6, 3, "Front cover open"),
    ErrorBit.JAMMED: (3, 13, 8, "Paper jam"),
}
"""Severity, group, code and text of the alert of an error."""


def _office_printer(view: MibView, terminal: Terminal, quirks: SnmpQuirks, now_ms: int) -> None:
    printer = terminal.office_printer
    device = (_PRINTER_DEVICE,)
    first = (_PRINTER_DEVICE, 1)

    def one(oid: Oid, value: bytes, index: Oid = first) -> None:
        view.column((*_PRINTER, *oid), {index: value})

    one((5, 1, 1, 16), ber.octets("A4 printer"), device)
    one((5, 1, 1, 17), ber.octets(printer.serial), device)
    one((6, 1, 1, 3), ber.integer(3 if printer.door_open else 4))
    one((8, 2, 1, 2), ber.integer(3))  # sheetFeedAutoRemovableTray
    one((8, 2, 1, 9), ber.integer(TRAY_SHEETS))
    one((8, 2, 1, 10), ber.integer(_UNKNOWN_LEVEL if quirks.no_levels else printer.sheets))
    one((8, 2, 1, 11), ber.integer(0 if printer.sheets else 9))
    one((8, 2, 1, 13), ber.octets("Tray 1"))
    one((10, 2, 1, 3), ber.integer(7))
    one((10, 2, 1, 4), ber.integer(printer.pages, ber.COUNTER_32))
    one((10, 2, 1, 15), ber.integer(0 if printer.works else 9))
    one((11, 1, 1, 4), ber.integer(3))
    one((11, 1, 1, 5), ber.integer(3))
    one((11, 1, 1, 6), ber.octets("Black toner cartridge"))
    one((11, 1, 1, 7), ber.integer(7))
    one((11, 1, 1, 8), ber.integer(TONER_PAGES))
    one((11, 1, 1, 9), ber.integer(_UNKNOWN_LEVEL if quirks.no_levels else printer.toner_pages))
    alerts = [_ALERTS[error] for error in printer.errors() if error in _ALERTS]
    indices = [(_PRINTER_DEVICE, number) for number in range(1, len(alerts) + 1)]
    table: Oid = (*_PRINTER, 18, 1, 1)
    for column, place in ((2, 0), (4, 1), (7, 2)):
        view.column((*table, column), {i: ber.integer(int(a[place])) for i, a in zip(indices, alerts, strict=True)})
    view.column((*table, 8), {i: ber.octets(a[3]) for i, a in zip(indices, alerts, strict=True)})
    view.column((*table, 9), dict.fromkeys(indices, _ticks(terminal.computer.uptime_ms(now_ms))))


def _power(view: MibView, terminal: Terminal, now_ms: int, local_at: datetime) -> None:
    power = terminal.power
    battery_status = 4 if power.depleted else 3 if power.low else 2
    source = 2 if power.dead else 3 if power.mains else 5
    one = (1,)
    view.scalar((*_UPS, 1, 1), ber.octets("Branchwatch Simulators"))
    view.scalar((*_UPS, 1, 2), ber.octets("SIM-UPS 2000"))
    view.scalar((*_UPS, 1, 3), ber.octets("3.2"))
    view.scalar((*_UPS, 1, 5), ber.octets(f"UPS-{terminal.serial}"))
    view.scalar((*_UPS, 2, 1), ber.integer(battery_status))
    view.scalar((*_UPS, 2, 2), ber.integer(round(power.seconds_on_battery(local_at))))
    view.scalar((*_UPS, 2, 3), ber.integer(int(power.left_min)))
    view.scalar((*_UPS, 2, 4), ber.integer(round(100 * power.charge)))
    view.scalar((*_UPS, 2, 5), ber.integer(round(10 * power.battery_v)))
    view.scalar((*_UPS, 2, 6), ber.integer(0 if power.mains else round(10 * power.output_w / power.battery_v)))
    view.scalar((*_UPS, 2, 7), ber.integer(round(power.temperature_cel)))
    view.scalar((*_UPS, 3, 1), ber.integer(power.line_bads, ber.COUNTER_32))
    view.scalar((*_UPS, 3, 2), ber.integer(1))
    view.column((*_UPS, 3, 3, 1, 2), {one: ber.integer(round(10 * power.input_hz))})
    view.column((*_UPS, 3, 3, 1, 3), {one: ber.integer(round(power.input_v))})
    view.scalar((*_UPS, 4, 1), ber.integer(source))
    view.scalar((*_UPS, 4, 2), ber.integer(500))
    view.scalar((*_UPS, 4, 3), ber.integer(1))
    view.column((*_UPS, 4, 4, 1, 2), {one: ber.integer(round(power.output_v))})
    view.column(
        (*_UPS, 4, 4, 1, 3), {one: ber.integer(round(10 * power.output_w / power.output_v) if power.output_v else 0)}
    )
    view.column((*_UPS, 4, 4, 1, 4), {one: ber.integer(round(power.output_w))})
    view.column((*_UPS, 4, 4, 1, 5), {one: ber.integer(round(100 * power.load))})
    present = {
        1: power.battery_bad, 2: not power.mains, 3: power.low, 4: power.depleted, 5: power.temperature_cel > 40,
        6: not power.mains, 8: power.load > 1, 13: power.charger_failed, 16: power.fan_failed,
    }  # fmt: skip
    alarms = [number for number, is_on in present.items() if is_on]
    view.scalar((*_UPS, 6, 1), ber.integer(len(alarms), ber.GAUGE_32))
    view.column((*_UPS, 6, 2, 1, 2), {(number,): ber.object_id((*_UPS, 6, 3, number)) for number in alarms})
    view.column((*_UPS, 6, 2, 1, 3), {(number,): _ticks(terminal.computer.uptime_ms(now_ms)) for number in alarms})
