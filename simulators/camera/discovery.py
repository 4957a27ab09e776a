"""WS-Discovery: the camera answers who looks for cameras.

Source: OASIS WS-Discovery 1.0 as ONVIF Core uses it (April 2005 namespaces).
"""

import asyncio
import socket
import struct
import uuid
from collections.abc import Callable
from html import escape
from typing import Final, cast
from xml.etree import ElementTree as ET

GROUP: Final = "239.255.255.250"
PORT: Final = 3702
LARGEST_PROBE_BYTES: Final = 8192

_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_NETWORK = "http://www.onvif.org/ver10/network/wsdl"
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_KNOWN_TYPES = {"NetworkVideoTransmitter", "Device"}


def probe_match(datagram: bytes, endpoint: str, scopes: str, address: str) -> bytes | None:
    """Answer to a probe, ``None`` where the datagram is none or looks for something else.

    Args:
        datagram: as it came.
        endpoint: ``urn:uuid:…`` of the camera.
        scopes: its scopes, separated by spaces.
        address: of its device service.
    """
    if len(datagram) > LARGEST_PROBE_BYTES or b"<!DOCTYPE" in datagram or b"<!ENTITY" in datagram:
        return None
    try:
        root = ET.fromstring(datagram)  # noqa: S314  (see above)
    except (ET.ParseError, ValueError, LookupError):
        return None
    probe = root.find(f"{{{_ENVELOPE}}}Body/{{{_DISCOVERY}}}Probe")
    message_id = root.findtext(f"{{{_ENVELOPE}}}Header/{{{_ADDRESSING}}}MessageID")
    if probe is None or not message_id:
        return None
    wanted = {name.rpartition(":")[2] for name in probe.findtext(f"{{{_DISCOVERY}}}Types", "").split()}
    if not wanted <= _KNOWN_TYPES:
        return None
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_ENVELOPE}" xmlns:a="{_ADDRESSING}" '
        f'xmlns:d="{_DISCOVERY}" xmlns:dn="{_NETWORK}"><s:Header>'
        f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID><a:RelatesTo>{escape(message_id.strip())}</a:RelatesTo>"
        f"<a:To>{_ANONYMOUS}</a:To><a:Action>{_DISCOVERY}/ProbeMatches</a:Action>"
        '<d:AppSequence InstanceId="1" MessageNumber="1"/></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>'
        f"<a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference>"
        f"<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{escape(scopes)}</d:Scopes>"
        f"<d:XAddrs>{escape(address)}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>"
        "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
    ).encode()


class Discovery(asyncio.DatagramProtocol):
    """Listens for probes and answers each at once.

    Args:
        match: answer to a probe.
        host: address of the interface.
        port: port to listen on; 0 for any free one, see :attr:`port`.
    """

    def __init__(self, match: Callable[[bytes], bytes | None], host: str, port: int) -> None:
        self.port = port
        self._match = match
        self._host = host
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def is_open(self) -> bool:
        """Listens."""
        return self._transport is not None

    async def open(self) -> None:
        """Listen, together with every other camera of this machine where the port is fixed.

        Raises:
            OSError: the port is taken by somebody who does not share it.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.port == PORT:  # multicast, as every client asks; another port is for who knows the camera's address
                listener.bind((GROUP, self.port))
                joined = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(self._host))
                listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
                listener.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self._host))
            else:
                listener.bind((self._host, self.port))
            self.port = int(listener.getsockname()[1])
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=listener)
        except OSError:
            listener.close()
            raise

    async def close(self) -> None:
        """Close the port."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        matched = self._match(data)
        if matched is not None and self._transport is not None:
            self._transport.sendto(matched, addr)
