"""What happens inside the machine and is worth telling at once, in the machine's own terms."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Module(StrEnum):
    """A part of the machine that speaks for itself."""

    DISPENSER = "dispenser"
    CARD_READER = "card_reader"
    PIN_PAD = "pin_pad"
    PRINTER = "printer"
    SENSORS = "sensors"
    VENDOR_MODE = "vendor_mode"


class Remedy(StrEnum):
    """What a module says about who has to act on its error."""

    NOBODY = "reset"
    BRANCH_STAFF = "clear"
    ENGINEER = "maintenance"


@dataclass(frozen=True, slots=True)
class ModuleFailed:
    """A module met a hardware error."""

    module: Module
    remedy: Remedy
    text: str


@dataclass(frozen=True, slots=True)
class ShutterMoved:
    """The output shutter reached a position: ``open``, ``closed`` or one of the jammed ones."""

    position: str


@dataclass(frozen=True, slots=True)
class NotesPresented:
    """So many notes are within the customer's reach."""

    notes: int


@dataclass(frozen=True, slots=True)
class NotesTaken:
    """The customer took them."""

    notes: int


@dataclass(frozen=True, slots=True)
class NotesRetracted:
    """Nobody took them, the machine drew them in again."""

    notes: int


@dataclass(frozen=True, slots=True)
class CardInserted:
    """A customer put a card in."""


@dataclass(frozen=True, slots=True)
class CardTaken:
    """The card left the machine again, into the customer's hand or the technician's."""


@dataclass(frozen=True, slots=True)
class CardRetained:
    """The machine kept the card."""


@dataclass(frozen=True, slots=True)
class ReceiptPrinted:
    """A receipt lies in the exit."""


@dataclass(frozen=True, slots=True)
class PaperReached:
    """The receipt paper reached a level: ``full``, ``low`` or ``out``."""

    level: str


@dataclass(frozen=True, slots=True)
class VendorModeEntered:
    """A technician has the machine."""


@dataclass(frozen=True, slots=True)
class VendorModeExited:
    """The machine serves customers again."""


@dataclass(frozen=True, slots=True)
class SafeDoorMoved:
    """The safe was opened or closed."""

    is_open: bool


Happening = (
    ModuleFailed
    | ShutterMoved
    | NotesPresented
    | NotesTaken
    | NotesRetracted
    | CardInserted
    | CardTaken
    | CardRetained
    | ReceiptPrinted
    | PaperReached
    | VendorModeEntered
    | VendorModeExited
    | SafeDoorMoved
)

Report = Callable[[Happening], None]
"""Where modules say what happens; called at once, in order."""
