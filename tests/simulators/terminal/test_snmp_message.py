"""The agent's codec: every well-formed request is answered, everything else is refused, and nothing is kept of it."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.terminal import ber
from simulators.terminal.agent import SnmpAgent
from simulators.terminal.ber import Reader
from simulators.terminal.mib_view import MibView
from simulators.terminal.snmp_message import LARGEST_BYTES, MOST_NAMES, read_request, respond

OIDS = st.lists(st.integers(0, 2**32 - 1), max_size=20).map(lambda arcs: (1, 3, *arcs))


def view_of(count: int, size: int = 4) -> MibView:
    view = MibView()
    view.column((1, 3, 6), {(index,): ber.octets(b"x" * size) for index in range(1, count + 1)})
    return view


def asked(pdu: int, names: list[ber.Oid], first: int = 0, second: int = 0, community: bytes = b"public") -> bytes:
    bindings = b"".join(ber.tlv(ber.SEQUENCE, ber.object_id(name) + b"\x05\x00") for name in names)
    body = ber.integer(77) + ber.integer(first) + ber.integer(second) + ber.tlv(ber.SEQUENCE, bindings)
    return ber.tlv(ber.SEQUENCE, ber.integer(1) + ber.octets(community) + ber.tlv(pdu, body))


def told(response: bytes) -> tuple[int, list[tuple[ber.Oid, int]]]:
    """Error status, and names with the tag of their value."""
    message = Reader(response).inner(ber.SEQUENCE)
    assert message.integer() == 1
    assert message.octets() == b"public"
    body = message.inner(0xA2)
    assert body.integer() == 77
    status, _ = body.integer(), body.integer()
    bindings = body.inner(ber.SEQUENCE)
    found = []
    while not bindings.done:
        binding = bindings.inner(ber.SEQUENCE)
        found.append((binding.object_id(), binding.element()[0]))
    return status, found


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_read_as_it_was_written(value: int) -> None:
    assert Reader(ber.integer(value)).integer() == value


@given(OIDS)
def test_an_object_identifier_is_read_as_it_was_written(oid: ber.Oid) -> None:
    assert Reader(ber.object_id(oid)).object_id() == oid


@given(st.binary(max_size=70_000))
def test_octets_of_any_length_are_read_as_they_were_written(value: bytes) -> None:
    assert Reader(ber.octets(value)).octets() == value


@pytest.mark.parametrize(("value", "encoded"), [(0, "020100"), (127, "02017f"), (128, "02020080"), (-128, "020180")])
def test_numbers_are_as_short_as_the_rules_ask(value: int, encoded: str) -> None:
    assert ber.integer(value).hex() == encoded


def test_a_get_of_too_much_is_too_big() -> None:
    view = view_of(100, size=100)
    names: list[ber.Oid] = [(1, 3, 6, index) for index in range(1, 20)]
    assert told(respond(read_request(asked(0xA0, names)), view)[0]) == (1, [])


def test_a_bulk_request_gets_what_fits() -> None:
    view = view_of(500, size=50)
    response, objects = respond(read_request(asked(0xA5, [(1, 3)], 0, 400)), view)
    status, found = told(response)
    assert status == 0
    assert len(response) <= LARGEST_BYTES
    assert [name for name, _ in found] == [(1, 3, 6, index) for index in range(1, objects + 1)]
    assert objects > 15


@given(st.lists(OIDS, max_size=8), st.integers(-5, 20), st.integers(-5, 2**31 - 1), st.sampled_from([0xA0, 0xA1, 0xA5]))
def test_any_request_is_answered_within_a_datagram(names: list[ber.Oid], first: int, second: int, pdu: int) -> None:
    response, objects = respond(read_request(asked(pdu, names, first, second)), view_of(300))
    assert len(response) <= LARGEST_BYTES
    assert len(told(response)[1]) == objects


def test_non_repeaters_come_once_and_the_others_again() -> None:
    view = view_of(10)
    request = read_request(asked(0xA5, [(1, 3), (1, 3, 6, 2), (1, 3, 6, 9)], 1, 3))
    _, found = told(respond(request, view)[0])
    arcs = [name[-1] for name, _ in found]
    assert arcs == [1, 3, 10, 4, 10, 5, 10]
    assert [tag for _, tag in found][-1] == ber.END_OF_MIB_VIEW[0]


def answer(datagram: bytes) -> bytes:
    """What the agent answers; nothing where it refuses."""
    try:
        request = read_request(datagram)
    except ValueError:
        return b""
    return respond(request, view_of(20))[0]


@given(st.binary(max_size=300))
def test_noise_is_refused_or_answered_within_a_datagram(noise: bytes) -> None:
    assert len(answer(noise)) <= LARGEST_BYTES


@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 60))
def test_a_request_with_a_wrong_octet_is_refused_or_answered(place: int, octet: int, cut: int) -> None:
    datagram = bytearray(asked(0xA5, [(1, 3, 6), (1, 3, 7)], 0, 5))
    datagram[place % len(datagram)] = octet
    assert len(answer(bytes(datagram[: len(datagram) - cut]))) <= LARGEST_BYTES


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (b"", "cut short"),
        (b"\x30\x84\xff\xff\xff\xff", "content of"),
        (b"\x30\x80\x00\x00", "length of 0 octets"),
        (asked(0xA2, [(1, 3)]), "no request"),
        (asked(0xA0, [(1, 3)] * (MOST_NAMES + 1)), "more than 128 names"),
        (asked(0xA0, [(1, 3)]).replace(b"\x02\x01\x01", b"\x02\x01\x03", 1), "SNMP version 3"),
    ],
)
def test_what_is_no_request_is_refused_with_its_reason(datagram: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_request(datagram)


def test_tens_of_thousands_of_bad_datagrams_leave_nothing_behind() -> None:
    chance = random.Random(3)
    agent = SnmpAgent("127.0.0.1", 0, lambda: view_of(5), chance, silent_share=0)
    good = asked(0xA0, [(1, 3, 6)])
    noise = [chance.randbytes(chance.randrange(1, 200)) for _ in range(500)]
    noise += [good[: chance.randrange(len(good))] for _ in range(500)]
    for datagram in noise:
        agent.datagram_received(datagram, ("127.0.0.1", 9))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(30):
        for datagram in noise:
            agent.datagram_received(datagram, ("127.0.0.1", 9))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert agent.refused == 31_000
    assert grown < 100_000
