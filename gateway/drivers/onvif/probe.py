"""WS-Discovery: asking for cameras, and reading what answers. Pure.

Source: OASIS WS-Discovery 1.0 as ONVIF Core section 7 uses it (April 2005 namespaces).
"""

import re
import uuid
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

GROUP: Final = "239.255.255.250"
MOST_BYTES: Final = 65_507
PORTS_MOST: Final = 16
_ELEMENTS_MOST: Final = 500
_DEPTH_MOST: Final = 32
_TEXT_MOST: Final = 8192
_WANTED: Final = frozenset({"XAddrs", "Types", "Scopes"})
_SCOPE: Final = re.compile(r"onvif://www\.onvif\.org/(name|hardware)/([^\s/]{1,200})", re.IGNORECASE)

_PROBE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
    'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
    "<a:MessageID>urn:uuid:{}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
    "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
    "</s:Header><s:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
)


@dataclass(frozen=True, slots=True)
class Match:
    """What a camera says of itself when somebody looks for cameras.

    Attributes:
        ports: ports of its device service, with whether over TLS, in its own order.
        name: what it is called.
        hardware: its model.
    """

    ports: tuple[tuple[int, bool], ...]
    name: str = ""
    hardware: str = ""


def probe() -> bytes:
    """A question for cameras."""
    return _PROBE.format(uuid.uuid4()).encode()


def read_match(datagram: bytes) -> Match | None:
    """Read an answer; ``None`` where the datagram is none. Whatever it holds, it costs little and raises nothing."""
    if len(datagram) > MOST_BYTES:
        return None
    reader = _Reader()
    try:
        reader.read(datagram)
    except (expat.ExpatError, ValueError, LookupError):
        return None
    if not reader.is_match:
        return None
    said = {key: " ".join("".join(parts).split()) for key, parts in reader.texts.items()}
    scopes = {name.lower(): unquote(value) for name, value in _SCOPE.findall(said.get("Scopes", ""))}
    ports = tuple(
        dict.fromkeys(port for url in said.get("XAddrs", "").split()[:PORTS_MOST] if (port := _port(url)) is not None)
    )
    return Match(ports, scopes.get("name", ""), scopes.get("hardware", ""))


def _port(url: str) -> tuple[int, bool] | None:
    """Port of a device service and whether over TLS. Its host is not used: it may be anybody's."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"}:
        return None
    is_tls = parts.scheme == "https"
    return (port or (443 if is_tls else 80)), is_tls


@dataclass
class _Reader:
    """Reads the texts that matter of an answer, within bounds, without entities."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    is_match: bool = False
    _path: list[str] = field(default_factory=list)
    _elements: int = 0
    _length: int = 0

    def read(self, datagram: bytes) -> None:
        """Parse.

        Raises:
            ValueError: it is not within bounds.
            ExpatError: it is no well-formed XML.
        """
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(datagram, True)
        finally:  # the handlers hold this object and this object's frame holds the parser
            parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
            parser.StartDoctypeDeclHandler = None

    def _start(self, name: str, _attributes: object) -> None:
        self._elements += 1
        self._path.append(name.rpartition(":")[2])
        if self._elements > _ELEMENTS_MOST or len(self._path) > _DEPTH_MOST:
            raise ValueError("answer without end")
        self.is_match = self.is_match or self._path[-1] == "ProbeMatch"

    def _end(self, _name: str) -> None:
        self._path.pop()

    def _text(self, text: str) -> None:
        if "ProbeMatch" not in self._path or self._path[-1] not in _WANTED:
            return
        self._length += len(text)
        if self._length > _TEXT_MOST:
            raise ValueError("text without end")
        self.texts.setdefault(self._path[-1], []).append(text)

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type has no place in SOAP")
