"""SNMP version 2c without I/O: a datagram in, a datagram out. Source: RFC 1901, RFC 3416."""

from dataclasses import dataclass
from typing import Final

from simulators.terminal import ber
from simulators.terminal.ber import Oid, Reader
from simulators.terminal.mib_view import MibView

LARGEST_BYTES: Final = 1472
"""Longest response: what fits a datagram on Ethernet."""

MOST_NAMES: Final = 128
"""Names one request may ask for."""

_VERSION_2C: Final = 1
_GET: Final = 0xA0
_GET_NEXT: Final = 0xA1
_RESPONSE: Final = 0xA2
_SET: Final = 0xA3
_GET_BULK: Final = 0xA5

_TOO_BIG: Final = 1
_NOT_WRITABLE: Final = 17

_NULL: Final = b"\x05\x00"


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request.

    Attributes:
        community: whose view is asked for.
        pdu: its type.
        request_id: echoed in the response.
        non_repeaters: names asked for once, of a bulk request.
        repetitions: how often the others are, of a bulk request.
        names: what is asked for.
    """

    community: bytes
    pdu: int
    request_id: int
    non_repeaters: int
    repetitions: int
    names: tuple[Oid, ...]


def read_request(datagram: bytes) -> Request:
    """Read a request of version 2c.

    Raises:
        ValueError: it is none; the text says why.
    """
    message = Reader(datagram).inner(ber.SEQUENCE)
    version = message.integer()
    if version != _VERSION_2C:
        raise ValueError(f"SNMP version {version}, expected {_VERSION_2C}")
    community = message.octets()
    pdu, begin, end = message.element()
    if pdu not in {_GET, _GET_NEXT, _SET, _GET_BULK}:
        raise ValueError(f"PDU {pdu:#x} is no request")
    body = Reader(datagram, begin, end)
    request_id, first, second = body.integer(), body.integer(), body.integer()
    names: list[Oid] = []
    bindings = body.inner(ber.SEQUENCE)
    while not bindings.done:
        if len(names) == MOST_NAMES:
            raise ValueError(f"more than {MOST_NAMES} names")
        names.append(bindings.inner(ber.SEQUENCE).object_id())
    return Request(community, pdu, request_id, max(0, first), max(0, second), tuple(names))


def respond(request: Request, view: MibView) -> tuple[bytes, int]:
    """Answer a request; returns the datagram and how many objects are in it."""
    if request.pdu == _SET:
        return _write(request, [(name, _NULL) for name in request.names], _NOT_WRITABLE, 1), 0
    if request.pdu == _GET_BULK:
        bindings = _bulk(request, view)
        return _write(request, bindings), len(bindings)
    if request.pdu == _GET:
        bindings = [(name, view.get(name)) for name in request.names]
    else:
        bindings = [view.next(name) for name in request.names]
    response = _write(request, bindings)
    if len(response) > LARGEST_BYTES:
        return _write(request, [], _TOO_BIG), 0
    return response, len(bindings)


def _bulk(request: Request, view: MibView) -> list[tuple[Oid, bytes]]:
    """As many objects as fit, in the order the standard asks for."""
    room = LARGEST_BYTES - len(_write(request, [])) - 8  # lengths of more than one octet
    found: list[tuple[Oid, bytes]] = []
    once = min(request.non_repeaters, len(request.names))

    def add(name: Oid) -> Oid | None:
        nonlocal room
        binding = view.next(name)
        room -= len(ber.object_id(binding[0])) + len(binding[1]) + 4
        if room < 0:
            return None
        found.append(binding)
        return binding[0]

    for name in request.names[:once]:
        if add(name) is None:
            return found
    names = list(request.names[once:])
    for _ in range(request.repetitions if names else 0):
        before = len(found)
        for place, name in enumerate(names):
            after = add(name)
            if after is None:
                return found
            names[place] = after
        if all(value == ber.END_OF_MIB_VIEW for _, value in found[before:]):
            break
    return found


def _write(request: Request, bindings: list[tuple[Oid, bytes]], error: int = 0, index: int = 0) -> bytes:
    listed = b"".join(ber.tlv(ber.SEQUENCE, ber.object_id(name) + value) for name, value in bindings)
    body = ber.integer(request.request_id) + ber.integer(error) + ber.integer(index) + ber.tlv(ber.SEQUENCE, listed)
    message = ber.integer(_VERSION_2C) + ber.octets(request.community) + ber.tlv(_RESPONSE, body)
    return ber.tlv(ber.SEQUENCE, message)
