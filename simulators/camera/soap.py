"""SOAP 1.2 as a camera reads and writes it. No I/O.

Source: ONVIF Core specification, chapters "Web services framework" (faults, ``ter:`` codes) and "Event handling".
"""

import re
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final
from xml.etree import ElementTree as ET

from simulators.camera.credentials import Token

CONTENT_TYPE: Final = "application/soap+xml; charset=utf-8"

NAMESPACES: Final = {
    "env": "http://www.w3.org/2003/05/soap-envelope",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "tse": "http://www.onvif.org/ver10/search/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "tns1": "http://www.onvif.org/ver10/topics",
    "ter": "http://www.onvif.org/ver10/error",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wstop": "http://docs.oasis-open.org/wsn/t-1",
    "wsrf": "http://docs.oasis-open.org/wsrf/rw-2",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
}
_WRITTEN = ("env", "tds", "trt", "tev", "tse", "tt", "tns1", "ter", "wsnt", "wstop", "wsrf", "wsa")
_OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?><env:Envelope '
    + " ".join(f'xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in _WRITTEN)
    + ">"
)
_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?")
_HTTP_SENDER = 400
_HTTP_RECEIVER = 500


class SoapFault(Exception):  # noqa: N818  (SOAP calls it a fault)
    """What the camera answers instead of a result.

    Args:
        subcodes: qualified names, outermost first.
        reason: for people.
        detail: XML of ``env:Detail``.
        receiver: the camera's own trouble and not the sender's mistake.
    """

    def __init__(self, subcodes: tuple[str, ...], reason: str, detail: str = "", *, receiver: bool = False) -> None:
        super().__init__(reason)
        self.subcodes = subcodes
        self.reason = reason
        self.detail = detail
        self.receiver = receiver

    @property
    def http_status(self) -> int:
        """Status of the HTTP answer that carries it."""
        return _HTTP_RECEIVER if self.receiver else _HTTP_SENDER

    def body(self) -> str:
        """``env:Fault``."""
        code = ""
        for subcode in reversed(self.subcodes):
            code = f"<env:Subcode><env:Value>{subcode}</env:Value>{code}</env:Subcode>"
        party = "Receiver" if self.receiver else "Sender"
        detail = f"<env:Detail>{self.detail}</env:Detail>" if self.detail else ""
        return (
            f"<env:Fault><env:Code><env:Value>env:{party}</env:Value>{code}</env:Code>"
            f'<env:Reason><env:Text xml:lang="en">{escape(self.reason)}</env:Text></env:Reason>{detail}</env:Fault>'
        )


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    Attributes:
        namespace: of the operation.
        operation: local name of the body's element.
        body: that element.
        token: who asks.
        message_id: by which the answer refers to it.
    """

    namespace: str
    operation: str
    body: ET.Element
    token: Token | None
    message_id: str

    def text(self, path: str) -> str | None:
        """Stripped text of an element below the body's, by a path with the prefixes of :data:`NAMESPACES`."""
        found = self.body.findtext(path, namespaces=NAMESPACES)
        return None if found is None else found.strip()


def read(content: bytes) -> Call:
    """Read a request.

    Raises:
        SoapFault: it is not a SOAP 1.2 envelope with one operation.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise malformed("a SOAP message has no document type declaration")
    try:
        root = ET.fromstring(content)  # noqa: S314  (see above)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise malformed(f"not XML: {error}") from error
    body = root.find("env:Body", NAMESPACES)
    if root.tag != f"{{{NAMESPACES['env']}}}Envelope" or body is None or len(body) != 1:
        raise malformed("expected a SOAP 1.2 envelope with one element in its body")
    namespace, _, operation = body[0].tag.removeprefix("{").rpartition("}")
    message_id = root.findtext("env:Header/wsa:MessageID", "", NAMESPACES).strip()
    return Call(namespace, operation, body[0], _token(root), message_id)


def _token(root: ET.Element) -> Token | None:
    found = root.find("env:Header/wsse:Security/wsse:UsernameToken", NAMESPACES)
    if found is None:
        return None
    password = found.find("wsse:Password", NAMESPACES)
    return Token(
        found.findtext("wsse:Username", "", NAMESPACES),
        "" if password is None else (password.text or "").strip(),
        password is not None and password.get("Type", "").endswith("#PasswordDigest"),
        found.findtext("wsse:Nonce", "", NAMESPACES).strip(),
        found.findtext("wsu:Created", "", NAMESPACES).strip(),
    )


def write(body: str, *, action: str = "", relates_to: str = "") -> bytes:
    """Write an answer.

    Args:
        body: XML of the body.
        action: WS-Addressing action, none where empty.
        relates_to: message id of the request.
    """
    header = f"<wsa:Action>{action}</wsa:Action>" if action else ""
    if action and relates_to:
        header += f"<wsa:RelatesTo>{escape(relates_to)}</wsa:RelatesTo>"
    return f"{_OPENING}<env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>".encode()


def malformed(reason: str) -> SoapFault:
    """The request cannot be read."""
    return SoapFault(("ter:WellFormed",), reason)


def invalid(reason: str) -> SoapFault:
    """An argument is out of its range."""
    return SoapFault(("ter:InvalidArgVal",), reason)


def duration_s(text: str) -> float:
    """Seconds of an ``xs:duration`` without years and months.

    Raises:
        SoapFault: it is not one.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise invalid(f"{text[:40]!r} is not a duration such as PT600S")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def life_ms(text: str, camera_ms: int) -> int:
    """Milliseconds until a termination time, given as a duration or as a time by the camera's clock.

    Raises:
        SoapFault: it is neither.
    """
    if text.startswith("P"):
        return int(duration_s(text) * 1000)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"{text[:40]!r} is neither a duration nor a time") from error
    if at.tzinfo is None:
        raise invalid(f"{text[:40]!r} has no zone")
    return int(at.timestamp() * 1000) - camera_ms
