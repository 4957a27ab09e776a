"""Replies of a DC-09 receiver."""

from datetime import UTC, datetime

from gateway.drivers.sia_dc09.cipher import PanelCipher
from gateway.drivers.sia_dc09.frame import TIMESTAMP_FORMAT, Frame, seal


def ack(frame: Frame, now_ms: int, cipher: PanelCipher | None) -> bytes:
    """Reply that a message was taken over; to an encrypted message an encrypted one, which needs a time.

    Args:
        frame: the message.
        now_ms: time to tell, milliseconds since 1970 UTC.
        cipher: of the panel; only needed where the message came encrypted.
    """
    if not frame.encrypted or cipher is None:
        return seal(f'"ACK"{_address(frame)}[]'.encode())
    return seal(f'"*ACK"{_address(frame)}[{cipher.encipher(f"]{_timestamp(now_ms)}")}'.encode())


def duh(frame: Frame) -> bytes:
    """Reply that a message was read but its content cannot be processed; the panel gives it up or tries elsewhere.

    It has nothing to hide, and goes out in plain text to an encrypted message, too.
    """
    return seal(f'"DUH"{_address(frame)}[]'.encode())


def nak(now_ms: int) -> bytes:
    """Reply that the time of a message is out of its window, with the right one; never encrypted, and of no account."""
    return seal(f'"NAK"0000R0L0A0[]{_timestamp(now_ms)}'.encode())


def _address(frame: Frame) -> str:
    receiver = "" if frame.receiver is None else f"R{frame.receiver}"
    line = f"L{frame.line or '0'}"  # mandatory in a reply, even where the panel left it out
    return f"{frame.sequence}{receiver}{line}#{frame.account}"


def _timestamp(now_ms: int) -> str:
    return f"_{datetime.fromtimestamp(now_ms / 1000, UTC):{TIMESTAMP_FORMAT}}"
