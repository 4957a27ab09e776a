"""RTSP 1.0 messages as a camera reads and writes them. No I/O.

Source: RFC 2326, sections 6, 7, 10.12 (interleaved data) and 12.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

LARGEST_HEAD_BYTES: Final = 8192
LARGEST_BODY_BYTES: Final = 8192
_INTERLEAVED = 0x24
_INTERLEAVED_HEAD = 4


class Status(IntEnum):
    """Status codes used."""

    OK = 200
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    NOT_FOUND = 404
    NOT_ENOUGH_BANDWIDTH = 453
    SESSION_NOT_FOUND = 454
    NOT_VALID_IN_THIS_STATE = 455
    UNSUPPORTED_TRANSPORT = 461
    NOT_IMPLEMENTED = 501
    VERSION_NOT_SUPPORTED = 505


_REASONS: Final = {status: status.name.replace("_", " ").title() for status in Status} | {Status.OK: "OK"}


class Unreadable(Exception):  # noqa: N818  (a state of the input, answered and then hung up on)
    """What came is no RTSP; the connection has no way to find its place again."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: as it came.
        target: URI of the request line.
        version: of the protocol.
        headers: by lower-case name.
    """

    method: str
    target: str
    version: str
    headers: Mapping[str, str]

    @property
    def sequence(self) -> str:
        """Its ``CSeq``."""
        return self.headers.get("cseq", "")


class Reader:
    """Cuts what a client sends into requests; interleaved data from it, receiver reports, is passed over."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Take bytes and give the requests that are complete.

        Raises:
            Unreadable: too large, or no RTSP.
        """
        self._buffer += data
        requests: list[Request] = []
        while self._buffer:
            if self._buffer[0] == _INTERLEAVED:
                if len(self._buffer) < _INTERLEAVED_HEAD:
                    break
                size = _INTERLEAVED_HEAD + int.from_bytes(self._buffer[2:4], "big")
                if len(self._buffer) < size:
                    break
                del self._buffer[:size]
                continue
            if self._buffer[:2] == b"\r\n":
                del self._buffer[:2]
                continue
            request = self._request()
            if request is None:
                break
            requests.append(request)
        return requests

    def _request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > LARGEST_HEAD_BYTES:
                raise Unreadable(f"head of more than {LARGEST_HEAD_BYTES} bytes")
            return None
        if end > LARGEST_HEAD_BYTES:
            raise Unreadable(f"head of more than {LARGEST_HEAD_BYTES} bytes")
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or not parts[0] or not parts[2].startswith("RTSP/"):
            raise Unreadable("no RTSP request line")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise Unreadable("header without a colon")
            headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()) or len(length) > 6 or int(length) > LARGEST_BODY_BYTES:
            raise Unreadable(f"body of {length[:20]} bytes")
        size = end + 4 + int(length)
        if len(self._buffer) < size:
            return None
        del self._buffer[:size]
        return Request(parts[0], parts[1], parts[2], headers)


def answer(status: Status, sequence: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    """Write an answer."""
    lines = [f"RTSP/1.0 {status.value} {_REASONS[status]}", f"CSeq: {sequence}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def channels(transport: str) -> tuple[int, int] | None:
    """Interleaved channels a ``Transport`` header asks for, ``None`` where it wants anything else.

    Of several transports offered the first that is TCP is taken; without channels it is 0-1.
    """
    for offer in transport.split(","):
        kind, *parameters = (part.strip() for part in offer.split(";"))
        if kind.upper() != "RTP/AVP/TCP":
            continue
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name != "interleaved":
                continue
            first, _, second = value.partition("-")
            second = second or first
            if not (first.isascii() and first.isdecimal() and second.isascii() and second.isdecimal()):
                return None
            pair = int(first[:4]), int(second[:4])
            return pair if max(pair) < 256 else None
        return 0, 1
    return None


def path_of(target: str) -> str:
    """Path of a request's URI, without a track or a closing slash; ``*`` stays."""
    if "://" in target:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    return target.partition("?")[0].rstrip("/") or "/"
