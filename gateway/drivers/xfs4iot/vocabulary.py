"""Words of XFS4IoT in the spelling of the device catalogue, however a service writes them.

Releases and frameworks differ in case (``hardwareError``, ``HardwareError``, ``HARDWARE_ERROR``); what they mean does not.
"""

from typing import Final

from contracts.devices import ATM, SELF_SERVICE_TERMINAL
from contracts.signals import DeviceKind

PAPER_SOURCES: Final = ("upper", "lower", "external", "aux", "aux2", "park")
CAMERA_VIEWS: Final = ("room", "person", "exitSlot")
POSITIONS: Final = frozenset(
    side + place
    for side in ("in", "out")
    for place in ("Default", "Left", "Right", "Center", "Top", "Bottom", "Front", "Rear")
)

_OTHERS: Final = (
    *("hardware", "software", "user", "fraudAttempt"),  # Common.ErrorEvent, eventId
    *("reset", "softwareError", "configuration", "clear", "maintenance", "suspend"),  # and action
    *("powering", "noPower", "full", "low", "operational", "critical", "failure"),  # powerManagement.info
    *("motor", "swipe", "dip", "latchedDip", "contactless", "intelligentContactless", "permanent"),  # cardReader.type
    *("retain", "dispense", "park"),  # card.capabilities.type
)
"""Words that are no states of the catalogue. Source: XFS4IoT (CEN CWA) 2021-1 to 2024."""


def fold(name: str) -> str:
    """What is the same about the spellings of a word or name."""
    return name.replace("_", "").lower()


def words_of(*kinds: DeviceKind) -> frozenset[str]:
    """All state words of some device kinds."""
    return frozenset(state.word for kind in kinds for signal in kind.signals for state in signal.states)


_LISTED: Final = {
    fold(word): word
    for word in (*words_of(ATM, SELF_SERVICE_TERMINAL), *POSITIONS, *PAPER_SOURCES, *CAMERA_VIEWS, *_OTHERS)
}


def listed(word: str) -> str:
    """The word as the catalogue spells it; a word that nobody listed stays as it is."""
    return _LISTED.get(fold(word), word)
