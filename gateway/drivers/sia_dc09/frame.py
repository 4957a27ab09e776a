"""SIA DC-09 frames without I/O: take a byte stream apart, check and read a frame, write a reply.

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

MAX_FRAME_BYTES: Final = 1024
"""Longest frame taken, without its LF and CR; a panel's frames are about 100 bytes."""

_LF: Final = b"\n"
_CR: Final = b"\r"
_SAMPLE_BYTES: Final = 64

_ENVELOPE = re.compile(rb'([0-9A-Fa-f]{4})(0[0-9A-Fa-f]{3})(".*)', re.DOTALL)
# SEQ is decimal by the standard, but some panels count it in hexadecimal; as it is only echoed, both are taken.
_BODY = re.compile(
    rb'"(\*?)([A-Z][A-Z0-9-]{0,15})"([0-9A-F]{4})(?:R([0-9A-F]{1,6}))?(?:L([0-9A-F]{1,6}))?#([0-9A-Fa-f]{3,16})\[(.*)',
    re.DOTALL,
)
_TIMESTAMP = re.compile(r"_(\d\d:\d\d:\d\d,\d\d-\d\d-\d{4})$")
_TIMESTAMP_FORMAT: Final = "%H:%M:%S,%m-%d-%Y"


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
        encrypted: whether ``data`` is ciphertext.
        sequence: four digits as sent.
        receiver: receiver number as sent, hexadecimal; ``None`` where the panel sends none.
        line: line number as sent, hexadecimal; ``None`` where the panel sends none.
        account: account in upper case.
        data: what stands between the first brackets; the whole ciphertext where encrypted.
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


@dataclass(frozen=True, slots=True)
class Junk:
    """Bytes of the stream that are no frame: a sample of them and why they were dropped."""

    sample: bytes
    why: str


class StreamSplitter:
    """Finds the frames of one connection's byte stream; holds at most one partial frame of :data:`MAX_FRAME_BYTES`."""

    def __init__(self) -> None:
        self._partial = b""
        self._in_frame = False
        self._noisy = False

    def feed(self, chunk: bytes) -> list[bytes | Junk]:
        """Take what was read next.

        Returns:
            Frames without LF and CR, and junk, in stream order. A run of junk is told once, however many reads it spans.
        """
        stream = self._partial + chunk
        self._partial = b""
        found: list[bytes | Junk] = []
        position = 0
        while position < len(stream):
            if not self._in_frame:
                start = stream.find(_LF, position)
                self._drop(found, stream[position : start if start >= 0 else None], "bytes outside a frame")
                if start < 0:
                    return found
                self._in_frame = True
                position = start + 1
            end = stream.find(_CR, position)
            stop = end if end >= 0 else len(stream)
            restart = stream.rfind(_LF, position, stop)
            if restart >= 0:
                self._drop(found, stream[position:restart], "a frame began before the one before it ended")
                position = restart + 1
            if stop - position > MAX_FRAME_BYTES:
                self._drop(found, stream[position:stop], f"a frame longer than {MAX_FRAME_BYTES} bytes")
                self._in_frame = False
                position = stop
            elif end < 0:
                self._partial = stream[position:]
                return found
            else:
                if end > position:
                    found.append(stream[position:end])
                    self._noisy = False
                self._in_frame = False
                position = end + 1
        return found

    def end(self) -> Junk | None:
        """Tell what was left of an unfinished frame when the connection ended."""
        left, self._partial, self._in_frame = self._partial, b"", False
        return Junk(left[:_SAMPLE_BYTES], "the connection ended inside a frame") if left else None

    def _drop(self, found: list[bytes | Junk], dropped: bytes, why: str) -> None:
        # Line ends between frames are a habit of some panels and no misbehaviour.
        sample = dropped.strip()[:_SAMPLE_BYTES]
        if sample and not self._noisy:
            self._noisy = True
            found.append(Junk(sample, why))


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
    if int(crc_text, 16) != crc16(body):
        raise FrameError(FrameFault.CRC, f"it says {crc_text.decode().upper()}, its bytes give {crc16(body):04X}")
    header = _BODY.fullmatch(body)
    if header is None:
        raise FrameError(FrameFault.SHAPE, 'expected "ID", SEQ, R, L, #account and [data]')
    star, token, sequence, receiver, line, account, rest = header.groups()
    data, extra, timestamp = _split_content(rest, encrypted=bool(star))
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
        sent_at=_time_of(timestamp),
    )


def _split_content(content: bytes, *, encrypted: bool) -> tuple[str, str, str]:
    """Split what follows the first bracket into data, extended data and timestamp."""
    text = content.decode("utf-8", errors="replace")
    if encrypted:
        return text, "", ""  # bracket, extended data and timestamp are inside the ciphertext
    data, bracket, tail = text.partition("]")
    if not bracket:
        raise FrameError(FrameFault.SHAPE, "the data block is not closed by ]")
    timestamp = _TIMESTAMP.search(tail)
    if timestamp is None:
        return data, tail, ""
    return data, tail[: timestamp.start()], timestamp.group(1)


def _time_of(timestamp: str) -> datetime | None:
    if not timestamp:
        return None
    try:
        return datetime.strptime(timestamp, _TIMESTAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None  # a panel whose clock is nonsense still has an alarm to tell


def seal(body: bytes) -> bytes:
    """Put LF, CRC, length and CR around a body that begins with its quoted ID."""
    return b"\n%04X0%03X%b\r" % (crc16(body), len(body), body)


def ack(frame: Frame) -> bytes:
    """Reply that a message was taken over."""
    return _reply("ACK", frame)


def duh(frame: Frame) -> bytes:
    """Reply that a message was read but its content cannot be processed; the panel gives it up or tries elsewhere."""
    return _reply("DUH", frame)


def _reply(token: str, frame: Frame) -> bytes:
    receiver = "" if frame.receiver is None else f"R{frame.receiver}"
    line = f"L{frame.line or '0'}"  # mandatory in a reply, even where the panel left it out
    return seal(f'"{token}"{frame.sequence}{receiver}{line}#{frame.account}[]'.encode())
