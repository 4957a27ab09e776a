"""Messages that prove who sent them: encryption, the window of time, and what strangers are told."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.devices import ALARM_PANEL
from gateway.drivers.sia_dc09.cipher import PanelCipher
from gateway.drivers.sia_dc09.duplicates import MOST_CORRECTED, CorrectedMessages
from gateway.drivers.sia_dc09.frame import Frame, parse_frame, seal
from gateway.drivers.sia_dc09.gate import AHEAD_S, BEHIND_S
from gateway.drivers.sia_dc09.outcome import Outcome
from gateway.drivers.sia_dc09.receiver import Receiver
from gateway.drivers.sia_dc09.settings import Settings
from runtime.clock import ManualClock
from tests.gateway.sia_dc09.recording_sink import RecordingSink

NOW_MS = 1_795_338_918_000  # 2026-11-22 09:15:18 UTC
KEY = "0123456789ABCDEF"
NAK = b'\n02A20025"NAK"0000R0L0A0[]_09:15:18,11-22-2026\r'


class Bench:
    """A receiver of an encrypted panel, and the panel's pen."""

    def __init__(self, **settings: object) -> None:
        self.clock = ManualClock(NOW_MS)
        self.now_s = 1000.0
        self.sink = RecordingSink(ALARM_PANEL)
        chosen = Settings.model_validate({"listen_port": 1, "account": "1234", "key_ascii": KEY, **settings})
        self.receiver = Receiver(chosen, self.clock, lambda: self.now_s)
        self.cipher = PanelCipher(KEY.encode())

    async def take(self, frame: bytes) -> tuple[Outcome, bytes]:
        answer = await self.receiver.take(frame[1:-1], self.sink)
        return answer.outcome, answer.reply

    def sealed(self, content: str, sequence: str = "0001", token: str = "ADM-CID", off_s: float = 0) -> bytes:
        at = datetime.fromtimestamp(self.clock.now_ms() / 1000 + off_s, UTC)
        text = f"{content}]_{at:%H:%M:%S,%m-%d-%Y}"
        return seal(f'"*{token}"{sequence}L0#1234[{self.cipher.encipher(text)}'.encode())

    async def say(self, event: str, sequence: str = "0001", off_s: float = 0) -> tuple[Outcome, bytes]:
        return await self.take(self.sealed(f"|#1234|{event}", sequence, off_s=off_s))

    async def null(self, sequence: str = "0001", off_s: float = 0) -> tuple[Outcome, bytes]:
        return await self.take(self.sealed("", sequence, "NULL", off_s))

    def opened(self, reply: bytes) -> Frame:
        return self.cipher.decipher(parse_frame(reply[1:-1]))

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.clock.advance(round(seconds * 1000))


async def test_an_encrypted_alarm_is_taken_and_acknowledged_encrypted() -> None:
    bench = Bench()
    outcome, reply = await bench.say("1130 01 015", "0007")
    assert outcome is Outcome.TAKEN
    assert b'"*ACK"0007L0#1234[' in reply
    assert bench.opened(reply).timestamp == "09:15:18,11-22-2026"
    assert bench.sink.last("zone15/alarm") == "burglary"
    assert bench.sink.last("panel/event") == "ADM-CID 1130 01 015"


async def test_encrypted_supervision_is_acknowledged() -> None:
    bench = Bench()
    outcome, reply = await bench.null("0008")
    assert outcome is Outcome.SUPERVISION
    assert bench.opened(reply).token == "ACK"
    assert bench.sink.last("link/state") == "up"


async def test_encrypted_sia_codes_with_names_are_taken() -> None:
    bench = Bench()
    outcome, _ = await bench.take(bench.sealed("|#1234|Nri1/BA015^金库^", token="SIA-DCS"))
    assert outcome is Outcome.TAKEN
    assert bench.sink.last("panel/event") == "SIA-DCS Nri1/BA015^金库^"


async def test_keys_of_digits_are_the_same_as_keys_of_letters() -> None:
    bench = Bench(key_ascii=None, key_hex=KEY.encode().hex())
    assert (await bench.say("1130 01 015"))[0] is Outcome.TAKEN


@pytest.mark.parametrize("off_s", [-BEHIND_S, 0, AHEAD_S])
async def test_a_time_within_the_window_is_taken(off_s: float) -> None:
    assert (await Bench().say("1130 01 015", off_s=off_s))[0] is Outcome.TAKEN


@pytest.mark.parametrize("off_s", [-BEHIND_S - 1, AHEAD_S + 1, -86_400, 365 * 86_400])
async def test_a_time_out_of_the_window_is_told_ours_in_plain_text(off_s: float) -> None:
    bench = Bench()
    assert await bench.say("1130 01 015", off_s=off_s) == (Outcome.OUT_OF_TIME, NAK)
    assert await bench.null(off_s=off_s) == (Outcome.OUT_OF_TIME, NAK)
    assert bench.sink.last("panel/event") is None
    assert bench.sink.last("link/state") is None, "a recorded message proves no life"
    assert bench.sink.last("clock/skew") == off_s
    assert len(bench.sink.refused) == 2
    assert (await bench.say("1130 01 015", off_s=1))[0] is Outcome.TAKEN


async def test_a_message_taken_before_is_acknowledged_however_old_it_has_become() -> None:
    bench = Bench()
    frame = bench.sealed("|#1234|1130 01 015")
    assert (await bench.take(frame))[0] is Outcome.TAKEN
    bench.wait(1000)
    outcome, reply = await bench.take(frame)
    assert outcome is Outcome.DUPLICATE
    assert bench.opened(reply).token == "ACK"
    assert bench.sink.all("panel/event") == ["ADM-CID 1130 01 015"]
    await bench.receiver.report_link(bench.sink)
    assert bench.sink.last("link/duplicates") == 1
    assert bench.sink.last("link/state") == "down", "a recorded message proves no life"


async def test_the_same_message_padded_otherwise_is_a_repetition() -> None:
    bench = Bench()
    await bench.say("1130 01 015")
    assert (await bench.say("1130 01 015"))[0] is Outcome.DUPLICATE
    assert bench.sink.last("zone15/alarms") == 1


async def test_messages_written_anew_after_each_of_several_corrections_count_once() -> None:
    bench = Bench()
    for number in range(1, 5):  # four under way, so four are told the time
        assert (await bench.say(f"1130 01 {number:03d}", f"{number:04d}", off_s=-90))[0] is Outcome.OUT_OF_TIME
    for number in range(1, 5):
        assert (await bench.say(f"1130 01 {number:03d}", f"{number:04d}"))[0] is Outcome.TAKEN
    for off_s in (1, 2, 3):
        for number in range(1, 5):
            outcome, reply = await bench.say(f"1130 01 {number:03d}", f"{number:04d}", off_s=off_s)
            assert outcome is Outcome.DUPLICATE
            assert bench.opened(reply).token == "ACK"
    assert (await bench.say("1130 01 001", "0001", off_s=-90))[0] is Outcome.DUPLICATE, "the first writing, come late"
    assert len(bench.sink.all("panel/event")) == 4
    assert bench.sink.last("link/duplicates") == 12


async def test_a_message_written_anew_is_known_to_the_next_life_and_forgotten_after_a_while() -> None:
    bench = Bench()
    await bench.say("1130 01 015", off_s=-90)
    await bench.say("1130 01 015")
    bench.receiver = Receiver(
        Settings(listen_port=1, account="1234", key_ascii=SecretStr(KEY)), bench.clock, lambda: bench.now_s
    )
    await bench.receiver.recall(bench.sink)
    assert (await bench.say("1130 01 015", off_s=2))[0] is Outcome.DUPLICATE
    bench.wait(400)
    assert (await bench.say("1130 01 015"))[0] is Outcome.TAKEN


async def test_another_time_alone_makes_another_message_where_the_panel_was_told_none() -> None:
    bench = Bench()
    await bench.say("1130 01 015")
    assert (await bench.say("1130 01 015", off_s=1))[0] is Outcome.TAKEN


async def test_the_memory_of_corrections_is_bounded() -> None:
    corrected = CorrectedMessages()
    for number in range(2000):
        raw = seal(f'"ADM-CID"{number:04d}L0#1234[#1234|1130 01 001]'.encode())[1:-1]
        corrected.remember(parse_frame(raw), number / 100)
    assert len(corrected._told_s) == MOST_CORRECTED


async def test_a_senseless_time_is_told_ours() -> None:
    bench = Bench()
    content = bench.cipher.encipher("|#1234|1130 01 015]_25:61:00,13-32-2026")
    outcome = await bench.take(seal(f'"*ADM-CID"0001L0#1234[{content}'.encode()))
    assert outcome == (Outcome.OUT_OF_TIME, NAK)


async def test_an_encrypted_message_without_a_time_is_not_let_in() -> None:
    bench = Bench()
    content = bench.cipher.encipher("|#1234|1130 01 015]")
    assert await bench.take(seal(f'"*ADM-CID"0001L0#1234[{content}'.encode())) == (Outcome.NOT_DECIPHERED, b"")


async def test_plain_text_is_refused_where_there_is_a_key_unless_it_is_allowed() -> None:
    plain = seal(b'"ADM-CID"0001L0#1234[#1234|1130 01 015]')
    strict = Bench()
    assert await strict.take(plain) == (Outcome.PLAIN_TEXT, b"")
    assert "require_encryption to false" in str(strict.sink.refused[0][1])
    lax = Bench(require_encryption=False)
    outcome, reply = await lax.take(plain)
    assert outcome is Outcome.TAKEN
    assert b'"ACK"0001' in reply
    assert (await lax.say("3130 01 015", "0002"))[0] is Outcome.TAKEN


async def test_strangers_are_met_with_silence_or_told_the_time() -> None:
    stranger = seal(b'"NULL"0001L0#9999[]')
    for chosen, expected in (("silence", b""), ("nak", NAK)):
        bench = Bench(unidentified=chosen)
        assert await bench.take(stranger) == (Outcome.UNKNOWN_ACCOUNT, expected)
        assert await bench.take(seal(b'"*NULL"0001L0#1234[00112233445566778899AABBCCDDEEFF')) == (
            Outcome.NOT_DECIPHERED, expected,
        )  # fmt: skip
        assert await bench.take(seal(b'"NULL"0001L0#1234[]')) == (Outcome.PLAIN_TEXT, expected)
        assert len(bench.sink.refused) == 3
        assert bench.sink.taken == []


async def test_no_key_is_ever_told() -> None:
    bench = Bench(unidentified="nak")
    await bench.say("1130 01 015", off_s=900)
    await bench.take(bench.sealed("|#1234|hello", "0002"))
    await bench.take(bench.sealed(f"|#1234|1130 01 016][K{KEY}", "0003"))
    await bench.take(seal(b'"*NULL"0001L0#1234[0011'))
    told = [str(error) for _, error in bench.sink.refused] + [str(seen.value) for seen in bench.sink.taken]
    told += [str(value) for value in bench.sink.memory.values()]
    assert bench.sink.last("panel/event") == "ADM-CID 1130 01 016 [K]"
    assert not [text for text in told if KEY in text or KEY.encode().hex() in text]


async def test_what_cannot_be_processed_is_answered_in_plain_text() -> None:
    bench = Bench()
    outcome, reply = await bench.take(bench.sealed("|#1234|hello"))
    assert outcome is Outcome.NO_EVENT
    assert b'"DUH"0001L0#1234[]' in reply


@given(st.binary(max_size=200), st.sampled_from(["ADM-CID", "NULL", "SIA-DCS"]))
async def test_random_ciphertext_is_refused_and_a_good_message_still_comes_through(noise: bytes, token: str) -> None:
    bench = Bench()
    raw = seal(f'"*{token}"0001L0#1234[{noise.hex().upper()}'.encode())
    assert await bench.take(raw) == (Outcome.NOT_DECIPHERED, b"")
    assert (await bench.say("1130 01 015"))[0] is Outcome.TAKEN


@given(st.integers(0, 8 * 48 - 1), st.integers(0, 60))
async def test_a_message_with_a_flipped_bit_never_becomes_another_event(bit: int, number: int) -> None:
    bench = Bench()
    frame = parse_frame(bench.sealed(f"|#1234|1130 01 {number:03d}")[1:-1])
    ciphertext = bytearray.fromhex(frame.data)
    ciphertext[bit // 8 % len(ciphertext)] ^= 1 << (bit % 8)
    outcome, _ = await bench.take(seal(f'"*ADM-CID"0001L0#1234[{ciphertext.hex()}'.encode()))
    if outcome is Outcome.TAKEN:  # the flip was in the padding, or garbled it
        assert bench.sink.all("panel/event") == [f"ADM-CID 1130 01 {number:03d}"]
