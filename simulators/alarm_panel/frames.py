"""DC-09 frames as a panel writes and reads them: messages out, replies in, in the clear or encrypted.

``<LF> CRC 0LLL "ID" SEQ R L #account [data] [x-data] _timestamp <CR>``; checksum and length cover the bytes from the first
quote up to, not including, the carriage return.

Source: SIA DC-09; CRC-16/ARC as four ASCII digits. Encrypted, the closing bracket, x-data and timestamp are inside too.
"""

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from contracts.errors import BranchwatchError
from simulators.alarm_panel.cipher import seal, unseal

LONGEST_FRAME_BYTES = 1024
"""Bytes without an end of frame after which the stream is no DC-09."""

_TIME = "%H:%M:%S,%m-%d-%Y"
_HEAD = re.compile(
    r'"(?P<encrypted>\*?)(?P<kind>ACK|NAK|DUH|RSP)"(?P<sequence>[0-9]{4})'
    r"(?:[RL][0-9A-Fa-f]{1,6})*(?:#(?P<account>[0-9A-Fa-f]{3,16})|A0)?\["
)
_CLEAR = re.compile(r"[^\[\]]*\](?:\[[^\[\]]*\])*(?:_(?P<time>[0-9:,-]{19}))?")
_SEALED = re.compile(r"[^\[\]]*\](?:\[[^\[\]]*\])*_(?P<time>[0-9:,-]{19})")


class ReplyError(BranchwatchError):
    """The receiver sent something that is no DC-09 reply; the panel takes it for no reply."""

    code = "device_misbehaved"


class ReplyKind(StrEnum):
    """What a receiver says to a message."""

    ACK = "ACK"  # taken over
    NAK = "NAK"  # timestamp outside the window; carries the receiver's time
    DUH = "DUH"  # understood as a frame, cannot be processed
    RSP = "RSP"  # taken over, with data back


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a receiver.

    Attributes:
        kind: what it says.
        sequence: sequence number it answers, 0 in a NAK.
        account: account it names, upper case, empty where it names none.
        clock_ms: the receiver's time in milliseconds since 1970 UTC, ``None`` where it gives none.
        encrypted: it came encrypted with the panel's key.
    """

    kind: ReplyKind
    sequence: int
    account: str
    clock_ms: int | None
    encrypted: bool = False


def crc16_arc(data: bytes) -> int:
    """Checksum of a frame's body: polynomial 0xA001 reflected, initial value 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def frame(body: str, *, lower_case_hex: bool = False) -> bytes:
    """Wrap a body, from its first quote on, with checksum and length."""
    data = body.encode("ascii")
    head = f"{crc16_arc(data):04X}0{len(data):03X}"
    return b"\n%b%b\r" % ((head.lower() if lower_case_hex else head).encode(), data)


def timestamp(at_ms: int) -> str:
    """Write milliseconds since 1970 as the protocol's time of day and date, UTC."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime(_TIME)


def message(
    token: str,
    sequence: int,
    account: str,
    data: str = "",
    *,
    receiver: str | None = "1",
    line: str = "0",
    at_ms: int | None = None,
    occurred_at_ms: int | None = None,
    seal_with: tuple[bytes, random.Random] | None = None,
    lower_case_hex: bool = False,
) -> bytes:
    """Write a message of a panel.

    Args:
        token: ``ADM-CID``, ``SIA-DCS`` or ``NULL``.
        sequence: 1 to 9999.
        account: 3 to 16 hexadecimal digits.
        data: block after ``#account|``; empty for ``NULL``.
        receiver: receiver number, hexadecimal; ``None`` leaves the field out.
        line: line number, hexadecimal.
        at_ms: the panel's time of sending, milliseconds since 1970 UTC; ``None`` for no timestamp.
        occurred_at_ms: when it happened where that was earlier, sent as x-data ``H``.
        seal_with: key and source of the padding where the message is encrypted; it then needs ``at_ms``.
        lower_case_hex: checksum, length and ciphertext in lower case.
    """
    receiver_field = "" if receiver is None else f"R{receiver}"
    inside = f"#{account}|{data}" if data else ""
    occurred = "" if occurred_at_ms is None else f"[H{timestamp(occurred_at_ms)}]"
    sent = "" if at_ms is None else f"_{timestamp(at_ms)}"
    fields = f"{sequence:04d}{receiver_field}L{line}#{account}"
    if seal_with is None:
        return frame(f'"{token}"{fields}[{inside}]{occurred}{sent}', lower_case_hex=lower_case_hex)
    digits = seal(f"{'|' if inside else ''}{inside}]{occurred}{sent}", *seal_with)
    return frame(f'"*{token}"{fields}[{digits.lower() if lower_case_hex else digits}', lower_case_hex=lower_case_hex)


def parse_reply(raw: bytes, key: bytes | None = None) -> Reply:
    """Read one frame between line feed and carriage return, both excluded.

    Args:
        raw: the frame.
        key: the panel's key, ``None`` where it does not encrypt.

    Raises:
        ReplyError: checksum, length or form is wrong, or it is encrypted with another key.
    """
    body = raw[8:]
    expected = f"{crc16_arc(body):04X}0{len(body):03X}".encode()
    if raw[:8].upper() != expected:
        raise ReplyError(f"reply {raw!r}: expected to begin with {expected.decode()}, its checksum and length; ignored")
    text = body.decode("ascii", "replace")
    head = _HEAD.match(text)
    if head is None:
        raise ReplyError(f"reply {raw!r}: expected ACK, NAK, DUH or RSP; ignored")
    inside = text[head.end() :]
    if head["encrypted"]:
        tail = _SEALED.fullmatch(_unsealed(inside, key))
        if tail is None:
            raise ReplyError(f"reply {raw!r}: expected the panel's own key and a timestamp inside; ignored")
    else:
        tail = _CLEAR.fullmatch(inside)
        if tail is None:
            raise ReplyError(f"reply {raw!r}: expected brackets and at most a timestamp after them; ignored")
    return Reply(
        ReplyKind(head["kind"]),
        int(head["sequence"]),
        (head["account"] or "").upper(),
        _clock_ms(tail["time"]),
        bool(head["encrypted"]),
    )


def _unsealed(digits: str, key: bytes | None) -> str:
    if key is None:
        raise ReplyError("encrypted reply to a panel without a key; ignored")
    try:
        return unseal(digits, key)
    except ValueError as error:
        raise ReplyError("encrypted reply cannot be decrypted: expected the panel's own key; ignored") from error


def _clock_ms(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise ReplyError(f"timestamp {text!r}: expected HH:MM:SS,MM-DD-YYYY; ignored") from error


class ReplySplitter:
    """Cuts a byte stream into frames, however the network divided it; bytes outside frames are skipped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the frames they complete, without line feed and carriage return."""
        self._rest += data
        frames: list[bytes] = []
        while True:
            start = self._rest.find(b"\n")
            if start < 0:
                self._rest = b""
                return frames
            end = self._rest.find(b"\r", start)
            if end < 0:
                self._rest = self._rest[start:] if len(self._rest) - start <= LONGEST_FRAME_BYTES else b""
                return frames
            inside = self._rest[start + 1 : end]
            frames.append(inside[inside.rfind(b"\n") + 1 :])
            self._rest = self._rest[end + 1 :]
