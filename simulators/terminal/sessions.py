"""One customer at the terminal, phase by phase; a script as those at the ATM."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from simulators.footfall.profile import visitors_an_hour
from simulators.terminal.machine import Terminal

SESSIONS_A_DAY: Final = 60.0
"""Mean on an average weekday, in opening hours only. Source: assumed."""

_MIX_PCT: Final = {"enquiry": 45, "card_services": 15, "card_issue": 6, "passbook": 18, "transfer": 16}
_MEDIAN_S: Final = 90.0
_SIGMA: Final = 0.5
_MEAN_PAGES: Final = 3.0
_RECEIPT_SHARE: Final = 0.5
_WITH_ID_CARD: Final = 0.4
_RETAINED_PER_CARD: Final = 1 / 3000


class Purpose(StrEnum):
    """What a customer wants."""

    ENQUIRY = "enquiry"
    CARD_SERVICES = "card_services"
    CARD_ISSUE = "card_issue"
    PASSBOOK = "passbook"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Session:
    """One customer's intention.

    Attributes:
        purpose: what for.
        pages: A4 pages wanted.
        duration_s: how long it takes where nothing goes wrong, seconds of the world.
    """

    purpose: Purpose
    pages: int
    duration_s: float


def rate_per_s(at: datetime, sessions_a_day: float) -> float:
    """Customers a second at a local time; they come when visitors of the branch do."""
    return visitors_an_hour(at, sessions_a_day) / 3600


def next_session(chance: random.Random) -> Session:
    """Draw what the next customer wants."""
    purpose = Purpose(chance.choices(list(_MIX_PCT), list(_MIX_PCT.values()))[0])
    pages = 0
    if purpose is Purpose.ENQUIRY:
        pages = 1 + int(math.log(1 - chance.random()) / math.log(1 - 1 / _MEAN_PAGES))
    return Session(purpose, pages, chance.lognormvariate(math.log(_MEDIAN_S), _SIGMA))


def session_script(terminal: Terminal, session: Session, chance: random.Random) -> Iterator[float]:
    """Play one session.

    Yields:
        Seconds of the world until the next move.
    """
    terminal.witness.sessions += 1
    terminal.cabinet.picture()
    if not terminal.computer.app_works:
        yield 15.0  # nothing on the screen moves; the customer gives up
        return
    terminal.computer.in_session = True
    try:
        match session.purpose:
            case Purpose.CARD_ISSUE:
                yield from _issue(terminal, session, chance)
            case Purpose.PASSBOOK:
                yield from _passbook(terminal, session, chance)
            case Purpose.TRANSFER:
                yield from _scan_code(terminal, session)
                yield from _card(terminal, session, chance)
            case _:
                yield from _identify(terminal, session, chance)
        yield from _print(terminal, session, chance)
    finally:
        terminal.computer.in_session = False


def _identify(terminal: Terminal, session: Session, chance: random.Random) -> Iterator[float]:
    if chance.random() < _WITH_ID_CARD:
        yield from _id_card(terminal, session, chance)
    else:
        yield from _card(terminal, session, chance)


def _id_card(terminal: Terminal, session: Session, chance: random.Random) -> Iterator[float]:
    reader = terminal.id_reader
    if not reader.usable:
        return
    reader.insert()
    yield 0.05 * session.duration_s
    reader.read(chance)
    yield 0.05 * session.duration_s
    reader.give_back()


def _card(terminal: Terminal, session: Session, chance: random.Random) -> Iterator[float]:
    reader, pin_pad = terminal.card_reader, terminal.pin_pad
    if not reader.usable:
        return
    reader.insert()
    yield 1.5
    if reader.read(chance) and pin_pad.usable:
        pin_pad.busy = True
        yield 0.1 * session.duration_s
        pin_pad.busy = False
        yield 0.3 * session.duration_s
        if chance.random() < _RETAINED_PER_CARD and reader.retain():
            return
    yield 0.05 * session.duration_s
    reader.give_back()


def _issue(terminal: Terminal, session: Session, chance: random.Random) -> Iterator[float]:
    yield from _id_card(terminal, session, chance)
    terminal.fingerprints.finger = True
    yield 0.05 * session.duration_s
    terminal.fingerprints.finger = False
    if terminal.scanner.insert():
        yield 0.2 * session.duration_s
        terminal.scanner.give_back()
    if terminal.card_reader.usable and terminal.card_stock.issue():
        terminal.witness.cards_issued += 1
        yield 0.2 * session.duration_s


def _passbook(terminal: Terminal, session: Session, chance: random.Random) -> Iterator[float]:
    printer = terminal.passbook_printer
    if not printer.insert():
        return
    yield 0.2 * session.duration_s
    printer.print(chance)
    yield 0.2 * session.duration_s
    printer.give_back()


def _scan_code(terminal: Terminal, session: Session) -> Iterator[float]:
    terminal.code_scanner.on = True
    yield 0.1 * session.duration_s
    terminal.code_scanner.on = False


def _print(terminal: Terminal, session: Session, chance: random.Random) -> Iterator[float]:
    printer = terminal.office_printer
    if session.pages and printer.works:
        printer.printing = True
        yield 2.0 * session.pages
        terminal.witness.pages += printer.print(session.pages, chance)
        printer.printing = False
    elif chance.random() < _RECEIPT_SHARE and terminal.printer.print(chance):
        yield 0.05 * session.duration_s
        terminal.printer.take()
