"""What an answer has to pass before the library reads it."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.onvif.soap_answer import DEPTH_MOST, ELEMENTS_MOST, NAMES_MOST, AnswerGate, UnfitAnswer

MOST = 100_000


def envelope(body: str, head: str = "") -> bytes:
    inner = f"<GetXResponse>{body}</GetXResponse>"
    return f'{head}<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{inner}</s:Body></s:Envelope>'.encode()


def passed(answer: bytes, gate: AnswerGate | None = None) -> bytes:
    return (gate or AnswerGate(MOST)).pass_through(answer, "GetX")


def test_a_sound_answer_passes_as_it_is() -> None:
    answer = envelope("<a x='1'>text</a>", '<?xml version="1.0" encoding="UTF-8"?>')
    gate = AnswerGate(MOST)
    assert passed(answer, gate) == answer
    assert gate.passed == answer


def test_characters_that_are_none_are_mended() -> None:
    assert passed(envelope("<a>caf\x01e</a>")) == envelope("<a>caf\ufffde</a>")
    assert passed(envelope("<a>+</a>").replace(b"+", b"\xe9")) == envelope("<a>\ufffd</a>")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "well-formed"),
        (b"<html><body>sorry</body></html>", "SOAP Envelope"),
        (envelope("<a>"), "well-formed"),
        (envelope("<a/>")[:-3], "well-formed"),
        (envelope("<a/>", '<!DOCTYPE x [<!ENTITY e "boom">]>'), "document type"),
        (envelope("<a/>", '<!DOCTYPE x SYSTEM "file:///etc/hostname">'), "document type"),
        (envelope("<a/>", '<?xml-stylesheet href="x"?>'), "instruction"),
        (envelope("<a/>", '<?xml version="1.0" encoding="no-such"?>'), "encoding|well-formed"),
        (envelope("<a>" * DEPTH_MOST + "</a>" * DEPTH_MOST), "levels"),
        (envelope("<a/>" * ELEMENTS_MOST), "elements"),
        (envelope("".join(f"<n{number}/>" for number in range(NAMES_MOST))), "names"),
        (envelope("x" * MOST), "bytes"),
        (envelope("<a/>").replace(b"GetX", b"GetY"), "expected <GetXResponse>"),
        (b"<Envelope/>", "expected <GetXResponse>"),
    ],
)
def test_what_is_unfit_is_refused_with_its_beginning(answer: bytes, reason: str) -> None:
    with pytest.raises(UnfitAnswer, match=reason) as refused:
        passed(answer)
    assert refused.value.sample == answer[:4096]


def test_names_without_end_are_refused_over_many_answers() -> None:
    gate = AnswerGate(MOST)
    for answer in range(NAMES_MOST // 100 - 1):
        passed(envelope("".join(f"<n{answer}-{number}/>" for number in range(100))), gate)
    with pytest.raises(UnfitAnswer, match="names"):
        passed(envelope("".join(f"<m{number}/>" for number in range(200))), gate)
    passed(envelope("<n0-1/>"), gate)  # known ones still pass


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(envelope)))
def test_anything_passes_or_is_refused(answer: bytes) -> None:
    try:
        passed(answer)
    except UnfitAnswer:
        return


def test_memory_stays_flat_over_tens_of_thousands_of_bad_answers() -> None:
    chance = random.Random(7)
    gate = AnswerGate(MOST)
    sound = envelope("<a x='1'>text</a>" * 3)

    def refuse(times: int) -> int:
        refused = 0
        for number in range(times):
            broken = bytearray(sound)
            broken[chance.randrange(len(broken))] = chance.randrange(256)
            if number % 3 == 0:
                broken = bytearray(envelope(f"<x{chance.random()}/>".replace(".", "")))
            try:
                passed(bytes(broken), gate)
            except UnfitAnswer:
                refused += 1
        return refused

    refuse(12_000)  # all the names one camera may bring are brought
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert refuse(20_000) > 10_000
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 300_000
