"""Whether a frame is from its panel: account, encryption, time. Pure but for the clock.

Replies of the gate are never encrypted and cost less than the frame: who calls is not known yet.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.errors import DeviceMisbehaved
from gateway.drivers.sia_dc09 import reply
from gateway.drivers.sia_dc09.cipher import NotDeciphered, PanelCipher
from gateway.drivers.sia_dc09.frame import Frame, FrameError, parse_frame
from gateway.drivers.sia_dc09.settings import Settings
from runtime.clock import Clock

AHEAD_S: Final = 20
BEHIND_S: Final = 40
"""How far the time of an encrypted message may be ahead of ours, and behind it. Source: ANSI/SIA DC-09, timestamp."""


class Flaw(StrEnum):
    """Why a frame is not let in."""

    UNREADABLE = "unreadable"
    UNKNOWN_ACCOUNT = "unknown_account"
    NOT_DECIPHERED = "not_deciphered"
    PLAIN_TEXT = "plain_text"


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A frame that is not let in.

    Attributes:
        flaw: the stable reason.
        error: what was expected against what came.
        reply: bytes to send back, empty for silence.
    """

    flaw: Flaw
    error: DeviceMisbehaved
    reply: bytes = b""

    @property
    def is_security_relevant(self) -> bool:
        """Whether it may be somebody who plays the panel; a broken frame is a broken line."""
        return self.flaw is not Flaw.UNREADABLE


class Gate:
    """Lets in the frames of one panel.

    Args:
        settings: which panel.
        clock: wall clock, for the window of encrypted messages.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._account = settings.account.upper()
        self._clock = clock
        key = settings.key
        self.cipher = None if key is None else PanelCipher(key)

    def admit(self, raw: bytes) -> Frame | TurnedAway:
        """Read what stood between LF and CR, deciphered where it is encrypted."""
        try:
            frame = parse_frame(raw)
        except FrameError as error:
            return TurnedAway(Flaw.UNREADABLE, error)
        if frame.account != self._account:
            return self._stranger(
                Flaw.UNKNOWN_ACCOUNT,
                f"DC-09 message of account {frame.account}, expected {self._account} or another panel's of this port; "
                "correct the account in the panel or in the settings, or find out who calls",
            )
        what = f"DC-09 message {frame.sequence} of account {frame.account}"
        if not frame.encrypted:
            if self._settings.takes_plain_text:
                return frame
            return self._stranger(
                Flaw.PLAIN_TEXT,
                f"{what} is in plain text, expected it encrypted; set the key in the panel, or require_encryption to false",
            )
        if self.cipher is None:
            return self._stranger(
                Flaw.NOT_DECIPHERED,
                f"{what} is encrypted and there is no key; give key_ascii or key_hex, or switch encryption off in the panel",
            )
        try:
            return self.cipher.decipher(frame)
        except NotDeciphered as error:
            return TurnedAway(Flaw.NOT_DECIPHERED, error, self._to_a_stranger())

    def is_in_time(self, frame: Frame) -> bool:
        """Whether a message is as fresh as it has to be: one in plain text proves nothing by its time."""
        if not frame.encrypted:
            return True
        if frame.sent_at is None:
            return False
        ahead_s = frame.sent_at.timestamp() - self._clock.now_ms() / 1000
        return -BEHIND_S <= ahead_s <= AHEAD_S

    def _stranger(self, flaw: Flaw, why: str) -> TurnedAway:
        return TurnedAway(flaw, DeviceMisbehaved(why), self._to_a_stranger())

    def _to_a_stranger(self) -> bytes:
        return reply.nak(self._clock.now_ms()) if self._settings.unidentified == "nak" else b""
