"""What happens inside the machine and is worth telling at once, in the machine's own terms."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Module(StrEnum):
    """A part of the machine that speaks for itself."""

    DISPENSER = "dispenser"  # of a recycler, the acceptor as well
    CARD_READER = "card_reader"
    PIN_PAD = "pin_pad"
    PRINTER = "printer"
    SENSORS = "sensors"
    VENDOR_MODE = "vendor_mode"
    CAMERA = "camera"
    PASSBOOK_PRINTER = "passbook_printer"
    SCANNER = "scanner"
    CODE_SCANNER = "code_scanner"
    BIOMETRIC = "biometric"
    ID_READER = "id_reader"


class Remedy(StrEnum):
    """What a module says about who has to act on its error."""

    NOBODY = "reset"
    BRANCH_STAFF = "clear"
    ENGINEER = "maintenance"
    SECURITY = "suspend"
    SOFTWARE = "softwareError"


class ErrorKind(StrEnum):
    """What sort of error a module met."""

    HARDWARE = "hardware"
    SOFTWARE = "software"
    FRAUD = "fraudAttempt"


@dataclass(frozen=True, slots=True)
class ModuleFailed:
    """A module met an error."""

    module: Module
    remedy: Remedy
    text: str
    kind: ErrorKind = ErrorKind.HARDWARE


@dataclass(frozen=True, slots=True)
class ShutterMoved:
    """A shutter reached a position: ``open``, ``closed`` or one of the jammed ones.

    Attributes:
        position: where it is now.
        opening: which opening it closes, in the standard's words.
    """

    position: str
    opening: str = "outDefault"


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
class NotesInserted:
    """A customer put so many notes in."""

    notes: int


@dataclass(frozen=True, slots=True)
class DepositRetracted:
    """The machine drew in notes that it had offered back and nobody took."""

    notes: int


@dataclass(frozen=True, slots=True)
class CardInserted:
    """A customer put a card in."""

    module: Module = Module.CARD_READER


@dataclass(frozen=True, slots=True)
class CardTaken:
    """The card left the machine again, into the customer's hand or the technician's."""

    module: Module = Module.CARD_READER


@dataclass(frozen=True, slots=True)
class CardRetained:
    """The machine kept the card."""

    module: Module = Module.CARD_READER


@dataclass(frozen=True, slots=True)
class ReceiptPrinted:
    """A receipt lies in the exit."""


@dataclass(frozen=True, slots=True)
class ReceiptRetracted:
    """Nobody took a receipt, the printer drew it in."""


@dataclass(frozen=True, slots=True)
class RetractedReceiptsReached:
    """The bin of retracted receipts reached a level: ``ok``, ``high`` or ``full``."""

    level: str


@dataclass(frozen=True, slots=True)
class PaperReached:
    """A printer's paper reached a level: ``full``, ``low`` or ``out``."""

    level: str
    module: Module = Module.PRINTER


@dataclass(frozen=True, slots=True)
class InkReached:
    """A printer's ribbon or ink reached a level: ``full``, ``low`` or ``out``."""

    level: str
    module: Module


@dataclass(frozen=True, slots=True)
class RecordingReached:
    """The recording medium of a camera reached a level: ``ok``, ``high`` or ``full``."""

    level: str


@dataclass(frozen=True, slots=True)
class KeysReached:
    """Somebody reached for keys he has no right to."""

    key: str


@dataclass(frozen=True, slots=True)
class KeysLoaded:
    """The key memory was initialised."""


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
    | NotesInserted
    | DepositRetracted
    | CardInserted
    | CardTaken
    | CardRetained
    | ReceiptPrinted
    | ReceiptRetracted
    | RetractedReceiptsReached
    | PaperReached
    | InkReached
    | RecordingReached
    | KeysReached
    | KeysLoaded
    | VendorModeEntered
    | VendorModeExited
    | SafeDoorMoved
)

Report = Callable[[Happening], None]
"""Where modules say what happens; called at once, in order."""
