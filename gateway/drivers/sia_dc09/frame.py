"""SIA DC-09 frames without I/O: check and read a frame, put an envelope around a reply.

``<LF> CRC(4 hex) 0LLL "ID" SEQ [R…] L… #account [data] [x-data…] _HH:MM:SS,MM-DD-YYYY <CR>``; CRC and length cover the bytes
from the first quote up to, but not including, the ``<CR>``.

Source: ANSI/SIA DC-09, and what three implementations of it send.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from contracts.errors import DeviceMisbehaved

_ENVELOPE = re.compile(rb'([0-9A-Fa-f]{4})(0[0-9A-Fa-f]{3})(".*)', re.DOTALL)
# SEQ is decimal by the standard, but some panels count it in hexadecimal; as it is only echoed, both are taken.
_BODY = re.compile(
    rb'"(\*?)([A-Z][A-Z0-9-]{0,15})"([0-9A-Fa-f]{4})(?:R([0-9A-Fa-f]{1,6}))?(?:L([0-9A-Fa-f]{1,6}))?#([0-9A-Fa-f]{3,16})\[(.*)',
    re.DOTALL,
)
_TIMESTAMP = re.compile(r"_([0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{2}-[0-9]{2}-[0-9]{4})\Z")
_ACCOUNT = re.compile(rb'"\*?[A-Z][A-Z0-9-]{0,15}"[^#\[]{4,18}#([0-9A-Fa-f]{3,16})\[')
TIMESTAMP_FORMAT: Final = "%H:%M:%S,%m-%d-%Y"
"""Times are UTC."""


class FrameFault(StrEnum):
    """Why a frame cannot be read; none of these can be answered, the panel will send again."""

    NO_ENVELOPE = "no_envelope"
    LENGTH = "length"
    CRC = "crc"
    SHAPE = "shape"


class FrameError(DeviceMisbehaved):
    """A frame cannot be read.

    Args:
        fault: the stable reason.
        detail: what was expected against what came.
    """

    def __init__(self, fault: FrameFault, detail: str) -> None:
        self.fault = fault
        super().__init__(f"DC-09 frame refused ({fault}): {detail}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose CRC and length are right.

    Attributes:
        token: kind of message, ``ADM-CID``, ``NULL``; without the asterisk of an encrypted one.
        encrypted: whether it came encrypted; as :func:`parse_frame` gives it, ``data`` is the ciphertext then.
        sequence: four digits as sent.
        receiver: receiver number as sent, hexadecimal; ``None`` where the panel sends none.
        line: line number as sent, hexadecimal; ``None`` where the panel sends none.
        account: account in upper case.
        data: what stands between the first brackets.
        extra: extended data blocks as sent, brackets included.
        timestamp: the time as sent, empty where there is none; part of a message's identity.
        sent_at: that time, ``None`` where there is none or it is no date.
    """

    token: str
    encrypted: bool
    sequence: str
    receiver: str | None
    line: str | None
    account: str
    data: str
    extra: str = ""
    timestamp: str = ""
    sent_at: datetime | None = None


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def crc16(content: bytes) -> int:
    """CRC-16/ARC: polynomial 0x8005 reflected (0xA001), initial value 0.

    Source: ANSI/SIA DC-07, quoted by DC-09.
    """
    crc = 0
    for byte in content:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def parse_frame(raw: bytes) -> Frame:
    """Check and read what stands between LF and CR.

    Raises:
        FrameError: envelope, length, CRC or header is wrong.
    """
    envelope = _ENVELOPE.fullmatch(raw)
    if envelope is None:
        raise FrameError(
            FrameFault.NO_ENVELOPE,
            "expected four digits of CRC, 0 and three of length, then a quote; is it a DC-09 panel?",
        )
    crc_text, length_text, body = envelope.groups()
    if int(length_text, 16) != len(body):
        raise FrameError(FrameFault.LENGTH, f"it says {int(length_text, 16)} bytes, got {len(body)}")
    crc = crc16(body)
    if int(crc_text, 16) != crc:
        raise FrameError(FrameFault.CRC, f"it says {crc_text.decode().upper()}, its bytes give {crc:04X}")
    header = _BODY.fullmatch(body)
    if header is None:
        raise FrameError(FrameFault.SHAPE, 'expected "ID", SEQ, R, L, #account and [data]')
    star, token, sequence, receiver, line, account, rest = header.groups()
    if star:
        data, extra, timestamp = rest.decode("ascii", errors="replace"), "", ""  # the rest is inside the ciphertext
    else:
        data, extra, timestamp = split_content(rest)
    return Frame(
        token=token.decode(),
        encrypted=bool(star),
        sequence=sequence.decode(),
        receiver=None if receiver is None else receiver.decode(),
        line=None if line is None else line.decode(),
        account=account.decode().upper(),
        data=data,
        extra=extra,
        timestamp=timestamp,
        sent_at=time_of(timestamp),
    )


def account_of(raw: bytes) -> str | None:
    """Account a frame seems to be of, in upper case, before anything of it was checked; ``None`` where it names none."""
    found = _ACCOUNT.search(raw)
    return None if found is None else found.group(1).decode().upper()


def split_content(content: bytes) -> tuple[str, str, str]:
    """Split what follows the first bracket into data, extended data and timestamp.

    Raises:
        FrameError: the data block is not closed.
    """
    data, bracket, tail = decode_text(content).partition("]")
    if not bracket:
        raise FrameError(FrameFault.SHAPE, "the data block is not closed by ]")
    timestamp = _TIMESTAMP.search(tail)
    if timestamp is None:
        return data, tail, ""
    return data, tail[: timestamp.start()], timestamp.group(1)


def decode_text(content: bytes) -> str:
    """Text of a frame; names of zones and users come in UTF-8 or, from older panels in China, in GB 18030."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace")


def time_of(timestamp: str) -> datetime | None:
    """Read a time as it stands in a frame, without the underscore; ``None`` where it is no date."""
    try:
        return datetime.strptime(timestamp, TIMESTAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None  # a panel whose clock is nonsense still has an alarm to tell


def seal(body: bytes) -> bytes:
    """Put LF, CRC, length and CR around a body that begins with its quoted ID."""
    return b"\n%04X0%03X%b\r" % (crc16(body), len(body), body)
