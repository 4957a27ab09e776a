"""RTSP on the wire: requests written, answers and interleaved packets read. Pure.

Source: RFC 2326 sections 4 to 7 (messages) and 10.12 (interleaved binary data).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.errors import DeviceMisbehaved

HEAD_MOST_BYTES: Final = 16_384
"""Status line and headers; a sound answer has a few hundred bytes."""

BODY_MOST_BYTES: Final = 65_536
"""A session description; a sound one has one or two thousand bytes."""

HEADERS_MOST: Final = 64

_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE: Final = re.compile(r"RTSP/\d\.\d +(\d{3})(?: .*)?")
_REQUEST_LINE: Final = re.compile(r"[A-Z_]{1,32} \S+ RTSP/\d\.\d")
_UNSAFE: Final = re.compile(r"[^\x21-\x7e]")
_DOLLAR: Final = 0x24
_FRAME_HEAD_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one of our requests.

    Attributes:
        status: status code, 100 to 999.
        headers: lower-case name → values in order of appearance.
        body: what follows the head, empty for most.
    """

    status: int
    headers: Mapping[str, Sequence[str]]
    body: bytes = b""

    def header(self, name: str) -> str:
        """First value of a header, empty where it is not there."""
        values = self.headers.get(name)
        return values[0] if values else ""

    @property
    def cseq(self) -> int | None:
        """Number of the request it answers, ``None`` where the server does not say."""
        text = self.header("cseq").strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet interleaved into the connection.

    Attributes:
        channel: channel number, 0 to 255.
        data: the packet.
    """

    channel: int
    data: bytes


def is_safe(text: str) -> bool:
    """Whether a text from the server can stand in a request without ending its line."""
    return bool(text) and len(text) <= 2048 and not _UNSAFE.search(text)


def write_request(method: str, url: str, cseq: int, headers: Mapping[str, str]) -> bytes:
    """Write a request without body.

    Raises:
        DeviceMisbehaved: the URL holds characters that have no place in one.
    """
    if not is_safe(url):
        raise DeviceMisbehaved(
            f"{method}: the camera gave the URL {url[:200]!r}; expected printable ASCII without spaces"
        )
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {cseq}", "User-Agent: Branchwatch"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", errors="replace")


class Receiver:
    """Cuts what the server sends into answers and packets; holds at most one unfinished message.

    Requests of the server (keep-alives, announcements) are skipped: a short visitor owes them nothing.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Answer | Packet]:
        """Take bytes, return what is complete, in order.

        Raises:
            DeviceMisbehaved: what came is no RTSP or too long; the connection cannot be read any further.
        """
        self._buffer += data
        out: list[Answer | Packet] = []
        at = 0
        while at < len(self._buffer):
            if self._buffer[at] == _DOLLAR:
                end = self._frame_end(at)
                if end is None:
                    break
                out.append(Packet(self._buffer[at + 1], bytes(self._buffer[at + _FRAME_HEAD_BYTES : end])))
            elif self._buffer[at] in b"\r\n":  # an empty line between messages is allowed
                end = at + 1
            else:
                answer, end = self._message(at)
                if end is None:
                    break
                if answer is not None:
                    out.append(answer)
            at = end
        del self._buffer[:at]
        return out

    def _frame_end(self, at: int) -> int | None:
        if len(self._buffer) < at + _FRAME_HEAD_BYTES:
            return None
        end = at + _FRAME_HEAD_BYTES + int.from_bytes(self._buffer[at + 2 : at + 4], "big")
        return end if len(self._buffer) >= end else None

    def _message(self, at: int) -> tuple[Answer | None, int | None]:
        """The message at a place and where it ends; no end where it is not complete."""
        found = _END_OF_HEAD.search(self._buffer, at, at + HEAD_MOST_BYTES)
        if found is None:
            if len(self._buffer) - at >= HEAD_MOST_BYTES:
                raise DeviceMisbehaved(f"RTSP: no end of the headers within {HEAD_MOST_BYTES} bytes")
            self._look_at_start(bytes(self._buffer[at : at + 5]))
            return None, None
        lines = (
            bytes(self._buffer[at : found.start()]).decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n")
        )
        status_line = _STATUS_LINE.fullmatch(lines[0])
        if status_line is None and _REQUEST_LINE.fullmatch(lines[0]) is None:
            raise DeviceMisbehaved(f"RTSP: expected a status line, got {lines[0][:80]!r}")
        headers = _headers(lines[1:])
        end = found.end() + _content_length(headers)
        if len(self._buffer) < end:
            return None, None
        if status_line is None:
            return None, end
        return Answer(int(status_line[1]), headers, bytes(self._buffer[found.end() : end])), end

    @staticmethod
    def _look_at_start(start: bytes) -> None:
        """Give up early on what can become neither an answer nor a request."""
        if not re.fullmatch(rb"[A-Z_]+[ /]?.*", start, re.DOTALL):
            raise DeviceMisbehaved(f"RTSP: expected a status line or '$', got {start!r}")


def _headers(lines: Sequence[str]) -> dict[str, list[str]]:
    if len(lines) > HEADERS_MOST:
        raise DeviceMisbehaved(f"RTSP: {len(lines)} headers, expected at most {HEADERS_MOST}")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise DeviceMisbehaved(f"RTSP: expected 'name: value', got {line[:80]!r}")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return headers


def _content_length(headers: Mapping[str, Sequence[str]]) -> int:
    text = headers.get("content-length", ("0",))[0]
    if not (text.isascii() and text.isdecimal() and len(text) < 8) or int(text) > BODY_MOST_BYTES:
        raise DeviceMisbehaved(f"RTSP: Content-Length {text[:20]!r}, expected 0 to {BODY_MOST_BYTES}")
    return int(text)
