"""What can go wrong with an ATM, by name: how it begins, who comes, and what they do about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from simulators.atm.demand import hurried_withdrawal
from simulators.atm.machine import Machine
from simulators.atm.visits import visit_script
from simulators.modules.card_reader import DIRTY_FAILED_READS, RETAIN_CAPACITY
from simulators.modules.patronage import Patronage, Rush, Script
from simulators.modules.receipt_printer import LOW_RECEIPTS
from simulators.modules.technician import Party
from simulators.modules.wear import Creep
from simulators.world import World
from simulators.xfs4iot import ServiceHost

_RUN_LOW_NOTES_LEFT: Final = 5  # above the low threshold: the next withdrawal or two take it below
_RUN_OUT_NOTES_LEFT: Final = 4  # in each cassette: what one withdrawal takes
_TRAPPED_BUNCHES: Final = 3
_REJECTS_CREEP: Final = timedelta(days=6)
_REJECTS_WORST: Final = 0.045  # on top of a clean path's half percent
_DUST_CREEP: Final = timedelta(weeks=5)
_BLAST_AFTER_S: Final = 2.0


@dataclass
class Site:
    """The ATM and its surroundings.

    Attributes:
        machine: the machine.
        host: its services.
        patronage: its customers.
        world: local time.
        crash_service: the service that crashes or hangs.
        decay_pace: how much faster than the world's time dirt and poor notes creep in.
        switched_off: its computer has no power or no net.
        blast_in_s: real seconds until an explosion ends it, ``None`` where none is coming.
    """

    machine: Machine
    host: ServiceHost
    patronage: Patronage
    world: World
    crash_service: str
    decay_pace: float
    switched_off: bool = False
    blast_in_s: float | None = field(default=None)

    @property
    def dark(self) -> bool:
        """Nobody can reach it."""
        return self.switched_off or self.machine.power.dead

    def creep(self, lasting: timedelta, worst: float) -> Creep:
        """Something that begins to get worse now."""
        return Creep(self.world.local_time(), lasting / self.decay_pace, worst)

    def rush(self, over: Callable[[], bool]) -> None:
        """Let hurried customers withdraw until something has come about."""

        def script() -> Script:
            visit = hurried_withdrawal(self.machine.dispenser.available)
            return visit_script(self.machine, visit, self.world.chance("rush"))

        self.patronage.rush(Rush(script, over))


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that goes wrong.

    Attributes:
        begin: what happens to the machine.
        party: who comes.
        mend: what they do, apart from what their coming always does.
        recycler: only recyclers can have it.
    """

    begin: Callable[[Site], object]
    party: Party
    mend: Callable[[Site], object] = lambda _site: None
    recycler: bool = False


def _run_low(site: Site) -> None:
    first = site.machine.dispenser.cassettes[0]
    site.machine.dispenser.leave(first, first.low_threshold + _RUN_LOW_NOTES_LEFT)
    site.rush(lambda: first.replenishment != "ok")


def _run_out(site: Site) -> None:
    dispenser = site.machine.dispenser
    for cassette in dispenser.cassettes:
        dispenser.leave(cassette, _RUN_OUT_NOTES_LEFT)
    site.rush(lambda: dispenser.available == 0)


def _trap_cash(site: Site) -> None:
    dispenser = site.machine.dispenser
    if not dispenser.trap:
        dispenser.trap = True
        enough = dispenser.retract_bin.operations + _TRAPPED_BUNCHES
        site.rush(lambda: dispenser.retract_bin.operations >= enough or not dispenser.trap or dispenser.blocked)


def _unseat(site: Site) -> None:
    site.machine.dispenser.cassettes[1].seated = False


def _reseat(site: Site) -> None:
    cabinet = site.machine.cabinet
    cabinet.open_safe()
    for cassette in site.machine.dispenser.cassettes:
        cassette.seated = True
    cabinet.close_safe()


def _creep_rejects(site: Site) -> None:
    site.machine.rejects_creep = site.machine.rejects_creep or site.creep(_REJECTS_CREEP, _REJECTS_WORST)


def _good_notes(site: Site) -> None:
    site.machine.rejects_creep = None
    site.machine.dispenser.clear()


def _gather_dust(site: Site) -> None:
    worst = DIRTY_FAILED_READS - site.machine.card_reader.failed_read_share()
    site.machine.dust_creep = site.machine.dust_creep or site.creep(_DUST_CREEP, worst)


def _clean_reader(site: Site) -> None:
    site.machine.dust_creep = None
    site.machine.card_reader.clear()


def _attack_with_black_box(site: Site) -> None:
    site.machine.cabinet.cabinet_door = "open"
    site.machine.dispenser.unplug()
    for camera in site.machine.cabinet.cameras.values():
        camera.state = "inop"
    site.host.crash("Camera1")


def _undo_black_box(site: Site) -> None:
    site.machine.dispenser.clear()
    site.machine.cabinet.set_in_order()
    site.host.restart("Camera1")


def _blow_up(site: Site) -> None:
    cabinet = site.machine.cabinet
    cabinet.seismic = True
    cabinet.tamper = True
    cabinet.sounder = True
    cabinet.safe_door = "tampered"
    site.blast_in_s = _BLAST_AFTER_S


def _rebuild(site: Site) -> None:
    site.blast_in_s = None
    site.switched_off = False
    site.machine.cabinet.set_in_order()


def _swap_pin_pad(site: Site) -> None:
    site.machine.pin_pad.swap()
    site.machine.pin_pad.load_keys()


def _freeze(site: Site) -> None:
    site.machine.frozen = True


def _thaw(site: Site) -> None:
    site.machine.frozen = False


def _crash(site: Site) -> None:
    site.host.crash(site.crash_service)
    printer = site.machine.printer
    printer.served = printer.served and site.crash_service != "ReceiptPrinter1"


def _restart(site: Site) -> None:
    site.host.restart(site.crash_service)
    site.machine.printer.served = True


def _switch_off(site: Site) -> None:
    site.switched_off = True


def _switch_on(site: Site) -> None:
    site.switched_off = False


def _lose_display(site: Site) -> None:
    site.machine.cabinet.display = "displayError"


def _lose_camera(site: Site) -> None:
    site.machine.cabinet.cameras["person"].state = "inop"


def _fill_retain_bin(site: Site) -> None:
    site.machine.card_reader.retained = RETAIN_CAPACITY


def _leave_safe_open(site: Site) -> None:
    site.machine.cabinet.open_safe()


def _mend_cabinet(site: Site) -> None:
    site.machine.cabinet.set_in_order()


def _deposit(site: Site, act: str) -> None:
    if site.machine.acceptor is not None:
        getattr(site.machine.acceptor, act)()


FAILURES: Final[Mapping[str, Failure]] = {
    "note_jam": Failure(
        lambda site: site.machine.dispenser.jam_notes(), Party.TECHNICIAN, lambda site: site.machine.dispenser.clear()
    ),
    "shutter_jam": Failure(
        lambda site: site.machine.dispenser.jam_shutter(), Party.TECHNICIAN, lambda site: site.machine.dispenser.clear()
    ),
    "cash_trap": Failure(_trap_cash, Party.TECHNICIAN, lambda site: site.machine.dispenser.clear()),
    "run_low": Failure(_run_low, Party.CASH_CREW),
    "run_out": Failure(_run_out, Party.CASH_CREW),
    "cassette_not_seated": Failure(_unseat, Party.TECHNICIAN, _reseat),
    "reject_creep": Failure(_creep_rejects, Party.CASH_CREW, _good_notes),
    "dirty_reader": Failure(_gather_dust, Party.TECHNICIAN, _clean_reader),
    "skimmer": Failure(
        lambda site: site.machine.card_reader.skim(), Party.TECHNICIAN, lambda site: site.machine.card_reader.clear()
    ),
    "black_box": Failure(_attack_with_black_box, Party.TECHNICIAN, _undo_black_box),
    "explosive": Failure(_blow_up, Party.TECHNICIAN, _rebuild),
    "forgotten_mode": Failure(lambda site: site.machine.cabinet.enter_vendor_mode(), Party.TECHNICIAN),
    "frozen_screen": Failure(_freeze, Party.NOBODY, _thaw),
    "epp_tamper": Failure(lambda site: site.machine.pin_pad.tamper(), Party.TECHNICIAN, _swap_pin_pad),
    "paper_low": Failure(
        lambda site: site.machine.printer.fit_roll(min(site.machine.printer.receipts_left, LOW_RECEIPTS - 1)),
        Party.TECHNICIAN,
        lambda site: site.machine.printer.fit_roll(),
    ),
    "paper_out": Failure(
        lambda site: site.machine.printer.fit_roll(0), Party.TECHNICIAN, lambda site: site.machine.printer.fit_roll()
    ),
    "receipt_jam": Failure(
        lambda site: site.machine.printer.jam(), Party.TECHNICIAN, lambda site: site.machine.printer.clear()
    ),
    "card_jam": Failure(
        lambda site: site.machine.card_reader.jam(), Party.TECHNICIAN, lambda site: site.machine.card_reader.clear()
    ),
    "reader_dead": Failure(
        lambda site: site.machine.card_reader.break_down(),
        Party.TECHNICIAN,
        lambda site: site.machine.card_reader.clear(),
    ),
    "retain_bin_full": Failure(_fill_retain_bin, Party.TECHNICIAN, lambda site: site.machine.card_reader.empty_bin()),
    "safe_open": Failure(_leave_safe_open, Party.TECHNICIAN, _mend_cabinet),
    "display_error": Failure(_lose_display, Party.TECHNICIAN, _mend_cabinet),
    "camera_dead": Failure(_lose_camera, Party.TECHNICIAN, _mend_cabinet),
    "recording_full": Failure(
        lambda site: site.machine.cabinet.fill_recording("full"), Party.TECHNICIAN, _mend_cabinet
    ),
    "service_crash": Failure(_crash, Party.NOBODY, _restart),
    "service_hang": Failure(lambda site: site.host.hang(site.crash_service), Party.NOBODY, _restart),
    "mains_failure": Failure(
        lambda site: site.machine.power.lose_mains(site.world.local_time()),
        Party.NOBODY,
        lambda site: site.machine.power.regain_mains(site.world.local_time()),
    ),
    "offline": Failure(_switch_off, Party.NOBODY, _switch_on),
    "deposit_jam": Failure(
        lambda site: _deposit(site, "jam"), Party.TECHNICIAN, lambda site: _deposit(site, "clear"), recycler=True
    ),
    "validator_dead": Failure(
        lambda site: _deposit(site, "blind"), Party.TECHNICIAN, lambda site: _deposit(site, "clear"), recycler=True
    ),
}
"""By name, in the order they are listed to people."""
