"""What can go wrong with a terminal, by name: how it begins, who comes, and what they do about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from simulators.modules.card_reader import DIRTY_FAILED_READS, RETAIN_CAPACITY
from simulators.modules.receipt_printer import LOW_RECEIPTS
from simulators.modules.technician import Party
from simulators.modules.wear import Creep
from simulators.terminal.agent import SnmpAgent
from simulators.terminal.document_modules import RIBBON_LINES
from simulators.terminal.machine import Terminal
from simulators.terminal.office_printer import LOW_SHARE, TONER_PAGES, TRAY_SHEETS
from simulators.world import World
from simulators.xfs4iot import ServiceHost

_DUST_CREEP: Final = timedelta(weeks=5)
_HOT_BATTERY_CEL: Final = 46.0
_USUAL_BATTERY_CEL: Final = 24.0


@dataclass
class Site:
    """The terminal and its surroundings.

    Attributes:
        terminal: the terminal.
        host: its services.
        agent: its SNMP agent.
        world: local time.
        crash_service: the service that crashes.
        decay_pace: how much faster than the world's time dirt gathers and disks fill.
        switched_off: its computer has no power or no net.
        agent_stopped: its SNMP agent does not run.
    """

    terminal: Terminal
    host: ServiceHost
    agent: SnmpAgent
    world: World
    crash_service: str
    decay_pace: float
    switched_off: bool = False
    agent_stopped: bool = False

    @property
    def dark(self) -> bool:
        """Nobody can reach it."""
        return self.switched_off or self.terminal.power.dead or self.terminal.computer.restarting


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that goes wrong.

    Attributes:
        begin: what happens.
        party: who comes.
        mend: what they do.
    """

    begin: Callable[[Site], object]
    party: Party
    mend: Callable[[Site], object]


def _toner(site: Site, pages: int) -> None:
    site.terminal.office_printer.toner_pages = min(site.terminal.office_printer.toner_pages, pages)


def _sheets(site: Site, sheets: int) -> None:
    site.terminal.office_printer.sheets = min(site.terminal.office_printer.sheets, sheets)


def _set(part: str, name: str, value: object) -> Callable[[Site], None]:
    """Something about a part of the terminal becomes a value."""

    def act(site: Site) -> None:
        setattr(getattr(site.terminal, part), name, value)

    return act


def _do(part: str, act: str, *values: object) -> Callable[[Site], object]:
    """A part of the terminal does something, or has something done to it."""

    def done(site: Site) -> object:
        return getattr(getattr(site.terminal, part), act)(*values)

    return done


def _service_printer(site: Site) -> None:
    site.terminal.office_printer.service()


def _fill_disk(site: Site) -> None:
    computer = site.terminal.computer
    computer.filling_since_at = computer.filling_since_at or site.world.local_time()


def _fill_disk_at_once(site: Site) -> None:
    site.terminal.computer.filling_since_at = site.world.local_time() - timedelta(days=60)


def _clean_disk(site: Site) -> None:
    site.terminal.computer.clean_disk(site.world.local_time())


def _restart(site: Site) -> None:
    site.terminal.computer.restart(site.world.local_time())


def _overheat(site: Site) -> None:
    site.terminal.computer.hot = True
    site.terminal.power.fan_failed = True
    site.terminal.power.temperature_cel = _HOT_BATTERY_CEL


def _cool(site: Site) -> None:
    site.terminal.computer.hot = False
    site.terminal.power.fan_failed = False
    site.terminal.power.temperature_cel = _USUAL_BATTERY_CEL


def _spoil_battery(site: Site) -> None:
    site.terminal.power.battery_bad = True


def _gather_dust(site: Site) -> None:
    worst = DIRTY_FAILED_READS - site.terminal.card_reader.failed_read_share()
    lasting = _DUST_CREEP / site.decay_pace
    site.terminal.dust_creep = site.terminal.dust_creep or Creep(site.world.local_time(), lasting, worst)


def _clean_reader(site: Site) -> None:
    site.terminal.dust_creep = None
    site.terminal.card_reader.clear()


def _swap_pin_pad(site: Site) -> None:
    site.terminal.pin_pad.swap()
    site.terminal.pin_pad.load_keys()


def _port(up: bool) -> Callable[[Site], None]:
    def act(site: Site) -> None:
        site.terminal.computer.ports[1].up = up

    return act


def _switch(attribute: str, *, on: bool) -> Callable[[Site], None]:
    def act(site: Site) -> None:
        setattr(site, attribute, on)

    return act


_TECHNICIAN = Party.TECHNICIAN
_NOBODY = Party.NOBODY

FAILURES: Final[Mapping[str, Failure]] = {
    "toner_low": Failure(lambda site: _toner(site, round(TONER_PAGES * LOW_SHARE) - 20), _TECHNICIAN, _service_printer),
    "toner_out": Failure(lambda site: _toner(site, 0), _TECHNICIAN, _service_printer),
    "paper_low_a4": Failure(
        lambda site: _sheets(site, round(TRAY_SHEETS * LOW_SHARE) - 5), _TECHNICIAN, _service_printer
    ),
    "tray_empty": Failure(lambda site: _sheets(site, 0), _TECHNICIAN, _service_printer),
    "paper_jam_a4": Failure(_set("office_printer", "jammed", True), _TECHNICIAN, _service_printer),
    "door_open_a4": Failure(_set("office_printer", "door_open", True), _TECHNICIAN, _service_printer),
    "passbook_jam": Failure(_do("passbook_printer", "jam"), _TECHNICIAN, _do("passbook_printer", "clear")),
    "ribbon_low": Failure(
        _do("passbook_printer", "set_lines", RIBBON_LINES // 20), _TECHNICIAN, _do("passbook_printer", "clear")
    ),
    "scanner_fault": Failure(_do("scanner", "break_down"), _TECHNICIAN, _do("scanner", "swap")),
    "code_scanner_fault": Failure(
        _do("code_scanner", "break_down"), _TECHNICIAN, _set("code_scanner", "broken", False)
    ),
    "card_stock_low": Failure(_set("card_stock", "cards", 25), _TECHNICIAN, _do("card_stock", "fill")),
    "card_stock_empty": Failure(_set("card_stock", "cards", 0), _TECHNICIAN, _do("card_stock", "fill")),
    "retain_bin_full": Failure(
        _set("card_reader", "retained", RETAIN_CAPACITY), _TECHNICIAN, _do("card_reader", "empty_bin")
    ),
    "card_jam": Failure(_do("card_reader", "jam"), _TECHNICIAN, _do("card_reader", "clear")),
    "id_card_jam": Failure(_do("id_reader", "jam"), _TECHNICIAN, _do("id_reader", "clear")),
    "dirty_reader": Failure(_gather_dust, _TECHNICIAN, _clean_reader),
    "skimmer": Failure(_do("card_reader", "skim"), _TECHNICIAN, _do("card_reader", "clear")),
    "epp_tamper": Failure(_do("pin_pad", "tamper"), _TECHNICIAN, _swap_pin_pad),
    "paper_low": Failure(_do("printer", "fit_roll", LOW_RECEIPTS - 1), _TECHNICIAN, _do("printer", "fit_roll")),
    "paper_out": Failure(_do("printer", "fit_roll", 0), _TECHNICIAN, _do("printer", "fit_roll")),
    "receipt_jam": Failure(_do("printer", "jam"), _TECHNICIAN, _do("printer", "clear")),
    "display_error": Failure(_set("cabinet", "display", "displayError"), _TECHNICIAN, _do("cabinet", "set_in_order")),
    "cabinet_open": Failure(_set("cabinet", "cabinet_door", "open"), _TECHNICIAN, _do("cabinet", "set_in_order")),
    "forgotten_mode": Failure(_do("cabinet", "enter_vendor_mode"), _TECHNICIAN, lambda _site: None),
    "service_crash": Failure(
        lambda site: site.host.crash(site.crash_service), _NOBODY, lambda site: site.host.restart(site.crash_service)
    ),
    "app_crash": Failure(_do("computer", "crash_app"), _NOBODY, _do("computer", "start_app")),
    "app_hang": Failure(_set("computer", "app_hangs", True), _NOBODY, _do("computer", "start_app")),
    "disk_fill": Failure(_fill_disk, _NOBODY, _clean_disk),
    "disk_full": Failure(_fill_disk_at_once, _NOBODY, _clean_disk),
    "memory_leak": Failure(_set("computer", "memory_leak", True), _NOBODY, _restart),
    "overheated": Failure(_overheat, _TECHNICIAN, _cool),
    "mains_failure": Failure(
        lambda site: site.terminal.power.lose_mains(site.world.local_time()),
        _NOBODY,
        lambda site: site.terminal.power.regain_mains(site.world.local_time()),
    ),
    "ups_battery_bad": Failure(_spoil_battery, _TECHNICIAN, _do("power", "swap_battery")),
    "ups_overload": Failure(_set("power", "load", 1.2), _TECHNICIAN, _set("power", "load", 0.35)),
    "ups_charger_failed": Failure(_set("power", "charger_failed", True), _TECHNICIAN, _do("power", "swap_battery")),
    "host_down": Failure(_switch("switched_off", on=True), _NOBODY, _switch("switched_off", on=False)),
    "snmp_silent": Failure(_switch("agent_stopped", on=True), _NOBODY, _switch("agent_stopped", on=False)),
    "net_port_down": Failure(_port(up=False), _TECHNICIAN, _port(up=True)),
}
"""By name, in the order they are listed to people."""
