"""One customer at the machine, phase by phase.

A script is a generator: it moves the machine and yields how many seconds of the world pass before the next move. Nothing
waits in it, so a test can play a year of customers in no time. Between two moves anything may have broken, so every move
asks the machine whether it still can.
"""

import math
import random
from collections.abc import Iterator

from simulators.atm.demand import Purpose, Visit
from simulators.atm.dispenser import NOTES_PER_DISPENSE, Stacking
from simulators.atm.machine import Machine

_NOTES_LEFT_PER_PRESENT = 1 / 2500
_RETRACT_AFTER_S = 30.0
_RECEIPTS_LEFT = 1 / 200
_DEPOSITS_ROLLED_BACK = 1 / 150
_RETAINED_PER_CARD = 1 / 3000
_LEFT_PER_CARD = 1 / 600
_LEFT_MEDIAN_S = 20.0


def visit_script(machine: Machine, visit: Visit, chance: random.Random) -> Iterator[float]:
    """Play one visit.

    Yields:
        Seconds of the world until the next move.
    """
    machine.witness.visits += 1
    machine.cabinet.picture()
    if machine.frozen:
        yield 20.0  # nothing on the screen moves; the customer gives up
        return
    if visit.with_card:
        if not machine.card_reader.usable:
            return
        machine.card_reader.insert()
        yield 1.5
        if not machine.card_reader.read(chance):
            yield 2.0
            machine.card_reader.give_back()
            return
    if not machine.pin_pad.usable:
        yield 0.1 * visit.duration_s
        machine.card_reader.give_back()
        return
    machine.pin_pad.busy = True
    yield 0.2 * visit.duration_s
    machine.pin_pad.busy = False
    yield 0.3 * visit.duration_s

    if visit.purpose is Purpose.DEPOSIT:
        yield from _deposit(machine, visit, chance)
    if visit.purpose is Purpose.WITHDRAWAL:
        yield from _withdrawal(machine, visit, chance)

    if visit.wants_receipt and machine.printer.print(chance):
        yield 0.1 * visit.duration_s
        if chance.random() < _RECEIPTS_LEFT:
            machine.printer.retract()
        machine.printer.take()
    yield from _card_back(machine, visit, chance, last=True)


def _withdrawal(machine: Machine, visit: Visit, chance: random.Random) -> Iterator[float]:
    """Notes come out in bunches; the card comes back before the last of them."""
    left = visit.notes
    while left > 0:
        bunch = min(left, NOTES_PER_DISPENSE)
        left -= bunch
        if machine.dispenser.stack(bunch) is not Stacking.STACKED:
            break
        machine.dispenser.busy = True
        yield 0.15 * visit.duration_s
        yield from _card_back(machine, visit, chance, last=left == 0)
        machine.dispenser.present()
        machine.dispenser.busy = False
        yield 0.1 * visit.duration_s
        yield from _notes_away(machine, chance)


def _notes_away(machine: Machine, chance: random.Random) -> Iterator[float]:
    if machine.dispenser.at_output == 0:  # the shutter did not open; the notes wait inside for the technician
        return
    if not machine.dispenser.trap and chance.random() >= _NOTES_LEFT_PER_PRESENT:
        machine.dispenser.take()
        return
    yield _RETRACT_AFTER_S
    machine.dispenser.retract()


def _deposit(machine: Machine, visit: Visit, chance: random.Random) -> Iterator[float]:
    """Notes go in, are checked, and are stored, or handed back where the customer thinks better of it."""
    acceptor = machine.acceptor
    if acceptor is None or machine.dispenser.exchange_active or not acceptor.open():
        return
    yield 0.1 * visit.duration_s
    acceptor.insert(visit.notes)
    yield 0.2 * visit.duration_s
    if chance.random() < _DEPOSITS_ROLLED_BACK:
        acceptor.roll_back()
    else:
        acceptor.store()
    yield 0.1 * visit.duration_s
    acceptor.hand_back(taken=chance.random() >= _NOTES_LEFT_PER_PRESENT)


def _card_back(machine: Machine, visit: Visit, chance: random.Random, *, last: bool) -> Iterator[float]:
    """The card goes back before the last notes come, so that nobody forgets it."""
    reader = machine.card_reader
    if not (visit.with_card and last and reader.media == "present"):
        return
    if chance.random() < _RETAINED_PER_CARD and reader.retain():
        return
    reader.busy = True
    yield 0.1 * visit.duration_s
    if chance.random() < _LEFT_PER_CARD:
        yield chance.lognormvariate(math.log(_LEFT_MEDIAN_S), 0.5)
    reader.give_back()
