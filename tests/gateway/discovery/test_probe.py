"""Answers to the question for cameras, sound and otherwise."""

import time
import tracemalloc

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.drivers.onvif.probe import MOST_BYTES, Match, probe, read_match

ANSWER = (
    '<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch>'
    "<d:Types>dn:NetworkVideoTransmitter</d:Types>"
    "<d:Scopes>onvif://www.onvif.org/type/video_encoder\nonvif://www.onvif.org/name/ACME%20Dome "
    "onvif://www.onvif.org/hardware/D-7</d:Scopes><d:XAddrs>{}</d:XAddrs>"
    "</d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"
)
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    "<ProbeMatch><Scopes>&c;</Scopes></ProbeMatch>"
)


def test_an_answer_tells_ports_name_and_model() -> None:
    answer = ANSWER.format("http://10.4.21.9/onvif/device_service https://evil.example:8443/x http://10.4.21.9:80/y")
    assert read_match(answer.encode()) == Match(((80, False), (8443, True)), "ACME Dome", "D-7")


def test_addresses_that_are_none_are_passed_over() -> None:
    answer = ANSWER.format("http://[::1:99 ftp://10.0.0.1/ http://h:99999/ uuid:77 http://10.4.21.9:8080/")
    match = read_match(answer.encode())
    assert match is not None
    assert match.ports == ((8080, False),)


def test_our_own_question_is_no_answer_and_every_question_has_an_id_of_its_own() -> None:
    assert read_match(probe()) is None
    assert probe() != probe()


@given(st.one_of(st.binary(max_size=2000), st.text(max_size=500).map(lambda text: ANSWER.format(text).encode())))
@example(BOMB.encode())
@example(b"<a>" * 10_000)
@example(b"<ProbeMatch>" + b"<Scopes>" + b"x" * 60_000 + b"</Scopes></ProbeMatch>")
@example(b"<a/>" + b" " * MOST_BYTES)
@example(b'<?xml version="1.0" encoding="martian"?><ProbeMatch/>')
def test_whatever_comes_is_an_answer_or_none(datagram: bytes) -> None:
    match = read_match(datagram)
    if match is not None:
        assert len(match.ports) <= 16
        assert all(1 <= port <= 65535 or port == 0 for port, _ in match.ports)


def test_bombs_cost_little_and_leave_nothing() -> None:
    hostile = [BOMB.encode(), b"<a>" * 20_000, ANSWER.format("http://h:1/ " * 5000).encode(), b"\xff" * 60_000]
    for datagram in hostile:
        assert read_match(datagram) is None
    tracemalloc.start()
    try:
        began_s, before = time.process_time(), tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            read_match(hostile[number % len(hostile)][: 200 + number % 1000])
        grown, spent_s = tracemalloc.get_traced_memory()[0] - before, time.process_time() - began_s
    finally:
        tracemalloc.stop()
    assert grown < 500_000
    assert spent_s < 20
