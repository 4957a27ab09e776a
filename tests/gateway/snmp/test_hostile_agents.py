"""Agents that answer nonsense: nothing of it is believed, nothing ends, and memory stays flat."""

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]
from pyasn1.type import univ  # type: ignore[import-untyped]
from pysnmp.proto.api import v2c  # type: ignore[import-untyped]

from contracts.devices import SELF_SERVICE_TERMINAL
from contracts.errors import DeviceMisbehaved, DeviceUnreachable
from gateway.drivers.snmp.agent import Agent
from gateway.drivers.snmp.engine import Engine
from gateway.drivers.snmp.gate import Gate
from gateway.drivers.snmp.message import MOST_ANSWER_BYTES, message_number
from gateway.drivers.snmp.settings import AgentSettings
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.gateway.snmp.agents import driver_of, polling, scripted, until

UPTIME = "1.3.6.1.2.1.25.1.1.0"
HERE = ("127.0.0.1", 161)


def answer(question: bytes, *, status: int = 0, index: int = 0, number: int | None = None, shift: int = 0) -> bytes:
    """A sound answer: to GET 4711 for everything, to GETBULK the next OIDs without end."""
    message, _ = decoder.decode(question, asn1Spec=v2c.Message())
    asked = v2c.apiMessage.get_pdu(message)
    reply = v2c.GetResponsePDU()
    v2c.apiPDU.set_defaults(reply)
    v2c.apiPDU.set_request_id(reply, v2c.apiPDU.get_request_id(asked) if number is None else number)
    v2c.apiPDU.set_error_status(reply, status)
    v2c.apiPDU.set_error_index(reply, index)
    is_bulk = asked.isSameTypeWith(v2c.GetBulkRequestPDU())
    bindings = [
        ((*tuple(oid), 1) if is_bulk else (*tuple(oid)[:-1], tuple(oid)[-1] + shift), v2c.TimeTicks(4711))
        for oid, _ in v2c.apiPDU.get_varbinds(asked)
    ]
    v2c.apiPDU.set_varbinds(reply, bindings)
    response = v2c.Message()
    v2c.apiMessage.set_defaults(response)
    v2c.apiMessage.set_community(response, v2c.apiMessage.get_community(message))
    v2c.apiMessage.set_pdu(response, reply)
    return bytes(encoder.encode(response))


QUESTION = bytes.fromhex("302602010104067075626c6963a019020401020304020100020100300b300906052b060102010500")


def agent_at(port: int) -> AgentSettings:
    return AgentSettings.model_validate({"address": "127.0.0.1", "port": port, "community": "public"})


async def ask(
    replies: Callable[[bytes], list[bytes]], oids: list[str] | None = None
) -> tuple[object, list[DeviceMisbehaved]]:
    """Ask an agent once; what came, or the error, and what was complained about."""
    complaints: list[DeviceMisbehaved] = []
    with scripted(replies) as port:
        agent = Agent(agent_at(port), 0, complaints.append)
        async with Engine(0.3, lambda _, error: complaints.append(DeviceMisbehaved(str(error)))) as engine:
            agent.use(engine)
            try:
                return await agent.get(oids or [UPTIME]), complaints
            except (DeviceUnreachable, DeviceMisbehaved) as error:
                return error, complaints


def test_the_number_of_a_message_is_found_in_version_2c_and_3() -> None:
    assert message_number(QUESTION) == 0x01020304
    version_3 = bytes.fromhex("3018020103301102042a2b2c2d020300ffe30401040201030400")
    assert message_number(version_3) == 0x2A2B2C2D


@given(st.binary(max_size=300))
@example(b"")
@example(b"0\x80")
@example(b"0\x84\xff\xff\xff\xff\x02\x01\x01")
def test_random_octets_are_refused_and_nothing_else(garbage: bytes) -> None:
    gate = Gate()
    gate.sent(QUESTION, HERE, 1)
    try:
        number = message_number(garbage)
    except DeviceMisbehaved:
        with pytest.raises(DeviceMisbehaved):
            gate.admit(garbage, HERE)
    else:
        assert isinstance(number, int)


@given(st.integers(0, len(QUESTION) - 1), st.integers(0, 255), st.integers(0, len(QUESTION)))
def test_mutated_messages_never_raise_anything_else(place: int, octet: int, length: int) -> None:
    mutated = bytearray(QUESTION)
    mutated[place] = octet
    gate = Gate()
    gate.sent(QUESTION, HERE, 1)
    try:
        assert gate.admit(bytes(mutated[:length]), HERE) == 1
    except DeviceMisbehaved as error:
        assert str(error)  # noqa: PT017


def test_a_huge_datagram_is_refused() -> None:
    with pytest.raises(DeviceMisbehaved, match="bytes, expected at most"):
        message_number(QUESTION + bytes(MOST_ANSWER_BYTES))


def test_only_the_first_answer_from_the_address_that_was_asked_is_let_in() -> None:
    gate = Gate()
    gate.sent(QUESTION, HERE, 7)
    for stranger in (("127.0.0.2", 161), ("127.0.0.1", 162)):
        with pytest.raises(DeviceMisbehaved, match="answers no question"):
            gate.admit(QUESTION, stranger)
    assert gate.admit(QUESTION, HERE) == 7
    assert gate.admit(QUESTION, HERE) is None
    gate.sent(QUESTION, HERE, 8)
    gate.close(8)
    assert gate.admit(QUESTION, HERE) is None


async def test_a_sound_answer_is_taken() -> None:
    assert await ask(lambda question: [answer(question)]) == ({UPTIME: 4711}, [])


async def test_a_wrong_number_is_refused_and_the_right_answer_after_it_taken() -> None:
    values, complaints = await ask(lambda question: [answer(question, number=99), b"\xff" * 40, answer(question)])
    assert values == {UPTIME: 4711}
    assert len(complaints) == 2


async def test_an_answer_twice_is_taken_once_and_complained_about_by_nobody() -> None:
    assert await ask(lambda question: [answer(question), answer(question)]) == ({UPTIME: 4711}, [])


async def test_a_value_that_was_not_asked_for_is_not_believed() -> None:
    error, _ = await ask(lambda question: [answer(question, shift=1)])
    assert isinstance(error, DeviceMisbehaved)
    assert "not asked for" in str(error)


async def test_an_answer_cut_short_is_refused_and_no_answer() -> None:
    error, complaints = await ask(lambda question: [_cut(answer(question))])
    assert isinstance(error, DeviceUnreachable)
    assert len(complaints) == 1


def _cut(datagram: bytes) -> bytes:
    """The outer lengths fit, the list of values does not."""
    return datagram.replace(bytes.fromhex("430212 67".replace(" ", "")), bytes.fromhex("43821267"))


async def test_another_community_in_the_answer_is_refused() -> None:
    error, complaints = await ask(lambda question: [answer(question).replace(b"public", b"publiC")])
    assert isinstance(error, DeviceUnreachable)
    assert len(complaints) == 1


async def test_a_value_the_agent_fails_on_is_left_out() -> None:
    def fails_on_second(question: bytes) -> list[bytes]:
        return [answer(question, status=5, index=2) if b"\x1f\x05\x00" in question else answer(question)]

    values, complaints = await ask(fails_on_second, [f"{UPTIME[:-2]}.30", f"{UPTIME[:-2]}.31", f"{UPTIME[:-2]}.32"])
    assert values == {f"{UPTIME[:-2]}.30": 4711, f"{UPTIME[:-2]}.32": 4711}
    assert [str(error).endswith("SNMP error status 5; look at the agent") for error in complaints] == [True]


async def test_an_agent_that_says_too_big_is_asked_for_less() -> None:
    def small(question: bytes) -> list[bytes]:
        return [answer(question, status=1) if len(question) > 120 else answer(question)]

    oids = [f"{UPTIME[:-2]}.{number}" for number in range(40)]
    assert await ask(small, oids) == (dict.fromkeys(oids, 4711), [])


async def test_an_agent_that_says_too_big_to_everything_is_left_alone() -> None:
    asked = []

    def never(question: bytes) -> list[bytes]:
        asked.append(question)
        return [answer(question, status=1)]

    values, _ = await ask(never, [f"{UPTIME[:-2]}.{number}" for number in range(40)])
    assert values == {}
    assert len(asked) < 60


async def test_a_table_without_end_is_cut_and_one_that_goes_back_is_refused() -> None:
    with scripted(lambda question: [answer(question)]) as port:
        agent = Agent(agent_at(port), 0, lambda _: None)
        async with Engine(5, lambda _, error: None) as engine:
            agent.use(engine)
            assert len(await agent.column("1.3.6.1.2.1.25", 10)) == 10
    with scripted(_backwards) as port:
        agent = Agent(agent_at(port), 0, lambda _: None)
        async with Engine(5, lambda _, error: None) as engine:
            agent.use(engine)
            with pytest.raises(DeviceMisbehaved, match="has no end"):
                await agent.column("1.3.6.1.2.1.25", 10)


def _backwards(question: bytes) -> list[bytes]:
    """The same row again and again."""
    message, _ = decoder.decode(question, asn1Spec=v2c.Message())
    request = v2c.apiMessage.get_pdu(message)
    reply = v2c.GetResponsePDU()
    v2c.apiPDU.set_defaults(reply)
    v2c.apiPDU.set_request_id(reply, v2c.apiPDU.get_request_id(request))
    v2c.apiPDU.set_varbinds(reply, [((1, 3, 6, 1, 2, 1, 25, 1), v2c.Integer32(1))] * 2)
    v2c.apiMessage.set_pdu(message, reply)
    return [bytes(encoder.encode(message))]


async def test_deeply_nested_values_do_not_break_the_decoder() -> None:
    def nested(question: bytes) -> list[bytes]:
        number = message_number(question)
        inner = b""
        for _ in range(3000):
            inner = _element(0x30, inner)
        pdu = _element(0xA2, _element(2, number.to_bytes(4, "big")) + b"\x02\x01\x00" * 2 + _element(0x30, inner))
        return [_element(0x30, b"\x02\x01\x01" + _element(4, b"public") + pdu)]

    error, complaints = await ask(nested)
    assert isinstance(error, DeviceUnreachable)
    assert len(complaints) == 1


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    head = bytes([length]) if length < 0x80 else b"\x82" + length.to_bytes(2, "big")
    return bytes([tag]) + head + content


async def test_a_flood_of_nonsense_leaves_the_driver_reading_and_memory_flat() -> None:
    chance = random.Random(7)
    noise = [chance.randbytes(chance.randrange(1, 300)) for _ in range(50)]
    sent = 0

    def flooding(question: bytes) -> list[bytes]:
        nonlocal sent
        good = answer(question)
        bad = [_mutated(good, chance) for _ in range(5)]  # some keep the number: then there is no answer this time
        first = [*chance.choices(noise, k=40), *(bad if chance.random() < 0.1 else [])]
        sent += len(first)
        return [*first, good]

    sink = _CountingSink()
    with scripted(flooding) as port:
        host = {"address": "127.0.0.1", "port": port, "community": "public"}
        driver = driver_of(ups=host, poll_s=0.001, tables_s=3600, timeout_s=0.4, retries=8, failures_to_lost=100)
        async with polling(driver, sink) as task:
            await until(lambda: sent > 5_000, task)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            await until(lambda: sent > 25_000, task)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            polls = sink.count
            await until(lambda: sink.count > polls, task)
    assert sink.refusals > 10_000
    assert grown < 2_000_000, f"{grown} bytes more after 20,000 bad datagrams"


def _mutated(datagram: bytes, chance: random.Random) -> bytes:
    changed = bytearray(datagram)
    for _ in range(chance.randrange(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed[: chance.randrange(1, len(changed) + 1)])


class _CountingSink(RecordingSink):
    """Counts instead of keeping, because it must not grow itself."""

    def __init__(self) -> None:
        super().__init__(SELF_SERVICE_TERMINAL)
        self.count = 0
        self.refusals = 0

    async def observe(self, *given: object, **more: object) -> None:
        await super().observe(*given, **more)  # type: ignore[arg-type]
        self.count += 1
        self.taken.clear()

    def refuse(self, raw: bytes | str, error: object) -> None:
        self.refusals += 1


async def test_a_driver_that_is_stopped_in_a_question_leaves_nothing_behind() -> None:
    asked = asyncio.Event()

    def silent(question: bytes) -> list[bytes]:
        asked.set()
        return []

    with scripted(silent) as port:
        driver = driver_of(ups={"address": "127.0.0.1", "port": port, "community": "public"}, timeout_s=20)
        async with polling(driver, RecordingSink(SELF_SERVICE_TERMINAL)):
            async with asyncio.timeout(10):
                await asked.wait()


def test_the_recorded_question_is_a_message() -> None:
    message, rest = decoder.decode(QUESTION, asn1Spec=v2c.Message())
    assert rest == b""
    assert isinstance(v2c.apiMessage.get_pdu(message), univ.Sequence)
