"""When customers come and what they want."""

import math
import random
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from simulators.atm.acceptor import NOTES_PER_DEPOSIT

HOURLY_PCT: Final = (
    0.5, 0.3, 0.2, 0.2, 0.2, 0.4, 1.1, 2.8, 5.9, 8.4, 9.0, 8.4,
    7.6, 6.7, 7.1, 7.4, 7.3, 6.8, 5.8, 4.8, 3.8, 2.8, 1.6, 0.9,
)  # fmt: skip
"""Share of a day's transactions by hour, percent."""

WEEKDAY_FACTOR: Final = (1.04, 0.97, 0.96, 0.98, 1.18, 1.00, 0.87)
"""Monday first."""

MEAN_TRANSACTIONS_PER_DAY: Final = 200.0
_VARIATION_BETWEEN_MACHINES = 0.45

_MIX_PCT: Final = {"withdrawal": 60, "enquiry": 26, "transfer": 10, "other": 4}
_RECYCLER_MIX_PCT: Final = {"withdrawal": 42, "deposit": 22, "enquiry": 22, "transfer": 10, "other": 4}
_DEPOSIT_MEDIAN_NOTES: Final = 12.0
_DEPOSIT_SIGMA: Final = 0.9  # lognormal: median 12 notes, mean 18
_NOTES_PCT: Final = {1: 8, 2: 11, 3: 8, 5: 16, 8: 4, 10: 24, 15: 4, 20: 13, 30: 5, 40: 2, 50: 5}
_MEDIAN_S: Final = {"withdrawal": 50.0, "deposit": 85.0, "enquiry": 35.0, "transfer": 35.0, "other": 35.0}
_SIGMA: Final = 0.35
_CARD_SHARE: Final = 0.7
_RECEIPT_SHARE: Final = 0.35
_RUSH_NOTES: Final = 20


class Purpose(StrEnum):
    """What a customer wants; deposits at recyclers only."""

    WITHDRAWAL = "withdrawal"
    DEPOSIT = "deposit"
    ENQUIRY = "enquiry"
    TRANSFER = "transfer"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Visit:
    """One customer's intention.

    Attributes:
        purpose: what for.
        notes: notes of CNY 100 wanted or brought, else 0.
        with_card: uses a card; otherwise a code or the face.
        duration_s: how long it takes where nothing goes wrong, seconds of the world.
        wants_receipt: asks for one.
    """

    purpose: Purpose
    notes: int
    with_card: bool
    duration_s: float
    wants_receipt: bool


def typical_transactions_per_day(chance: random.Random) -> float:
    """How busy one machine is compared with others: gamma, mean 200, coefficient of variation 0.45."""
    shape = _VARIATION_BETWEEN_MACHINES**-2
    return chance.gammavariate(shape, MEAN_TRANSACTIONS_PER_DAY / shape)


def rate_per_s(at: datetime, transactions_per_day: float) -> float:
    """Customers a second at a local time."""
    share = HOURLY_PCT[at.hour] / sum(HOURLY_PCT)
    return transactions_per_day * WEEKDAY_FACTOR[at.weekday()] * share / 3600


def next_visit(chance: random.Random, *, recycler: bool = False) -> Visit:
    """Draw what the next customer wants."""
    mix = _RECYCLER_MIX_PCT if recycler else _MIX_PCT
    purpose = Purpose(chance.choices(list(mix), list(mix.values()))[0])
    notes = 0
    if purpose is Purpose.WITHDRAWAL:
        notes = chance.choices(list(_NOTES_PCT), list(_NOTES_PCT.values()))[0]
    if purpose is Purpose.DEPOSIT:
        notes = round(chance.lognormvariate(math.log(_DEPOSIT_MEDIAN_NOTES), _DEPOSIT_SIGMA))
        notes = min(NOTES_PER_DEPOSIT, max(1, notes))
    return Visit(
        purpose=purpose,
        notes=notes,
        with_card=chance.random() < _CARD_SHARE,
        duration_s=chance.lognormvariate(math.log(_MEDIAN_S[purpose]), _SIGMA),
        wants_receipt=chance.random() < _RECEIPT_SHARE,
    )


def hurried_withdrawal(available_notes: int) -> Visit:
    """A customer of a rush: a code instead of a card, cash as long as there is some, no receipt."""
    notes = min(_RUSH_NOTES, available_notes)
    return Visit(Purpose.WITHDRAWAL, notes, with_card=False, duration_s=10.0, wants_receipt=False)
