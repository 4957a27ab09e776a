from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import ALARM_PANEL
from gateway.drivers.sia_dc09.duplicates import DATED_WINDOW_S, MOST_MESSAGES, UNDATED_WINDOW_S, RecentMessages
from gateway.drivers.sia_dc09.frame import parse_frame, seal
from gateway.drivers.sia_dc09.outcome import Outcome
from gateway.drivers.sia_dc09.receiver import Receiver
from gateway.drivers.sia_dc09.settings import Settings
from gateway.drivers.sia_dc09.stream import Junk
from runtime.clock import ManualClock
from tests.gateway.sia_dc09.recording_sink import RecordingSink

NOW_MS = 1_795_338_918_000  # 2026-11-22 09:15:18 UTC
AT = "_09:15:18,11-22-2026"


class Bench:
    """A receiver with a sink, on clocks moved by hand."""

    def __init__(self, **settings: object) -> None:
        self.clock = ManualClock(NOW_MS)
        self.now_s = 1000.0
        self.sink = RecordingSink(ALARM_PANEL)
        chosen = Settings.model_validate({"listen_port": 1, "account": "1234", **settings})
        self.receiver = Receiver(chosen, self.clock, lambda: self.now_s)

    async def send(self, body: str) -> tuple[Outcome, bytes]:
        answer = await self.receiver.take(seal(body.encode())[1:-1], self.sink)
        return answer.outcome, answer.reply

    async def event(self, event: str, sequence: str = "0001", tail: str = "") -> tuple[Outcome, bytes]:
        return await self.send(f'"ADM-CID"{sequence}L0#1234[#1234|{event}]{tail}')

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.clock.advance(round(seconds * 1000))


async def test_an_alarm_is_committed_then_acknowledged() -> None:
    bench = Bench()
    assert await bench.event("1130 01 015", "0007") == (Outcome.TAKEN, b'\n04210012"ACK"0007L0#1234[]\r')
    assert bench.sink.last("panel/event") == "ADM-CID 1130 01 015"
    assert bench.sink.last("zone15/alarm") == "burglary"
    assert bench.sink.last("zone15/alarms") == 1
    assert bench.sink.last("panel/events") == 1
    assert bench.sink.last("link/state") == "up"
    assert bench.sink.last("link/supervision_age") == 0


async def test_nothing_is_acknowledged_while_the_sink_fails() -> None:
    bench = Bench()
    bench.sink.is_full = True
    assert await bench.event("1130 01 015") == (Outcome.NOT_COMMITTED, b"")
    assert await bench.send('"NULL"0002L0#1234[]') == (Outcome.NOT_COMMITTED, b"")
    assert bench.sink.taken == []
    bench.sink.is_full = False
    outcome, reply = await bench.event("1130 01 015")
    assert outcome is Outcome.TAKEN
    assert b'"ACK"0001' in reply
    assert bench.sink.all("panel/event") == ["ADM-CID 1130 01 015"]
    assert bench.sink.all("panel/events") == [1]
    assert bench.sink.all("zone15/alarms") == [1]


async def test_a_repeated_message_is_acknowledged_again_and_takes_effect_once() -> None:
    bench = Bench()
    first = await bench.event("1130 01 015", tail=AT)
    assert await bench.event("1130 01 015", tail=AT) == (Outcome.DUPLICATE, first[1])
    assert bench.sink.all("panel/event") == ["ADM-CID 1130 01 015"]
    assert bench.sink.last("link/duplicates") == 1
    assert bench.sink.refused == []


async def test_a_repetition_is_not_acknowledged_while_the_sink_fails() -> None:
    bench = Bench()
    await bench.event("1130 01 015")
    bench.sink.is_full = True
    assert await bench.event("1130 01 015") == (Outcome.NOT_COMMITTED, b"")


async def test_the_same_number_with_other_content_is_no_repetition() -> None:
    bench = Bench()
    await bench.event("1130 01 015", "0001")
    assert (await bench.event("3130 01 015", "0001"))[0] is Outcome.TAKEN
    assert (await bench.event("1130 01 015", "0001", AT))[0] is Outcome.TAKEN
    assert (await bench.event("1130 01 015", "0001", "_09:15:19,11-22-2026"))[0] is Outcome.TAKEN
    assert bench.sink.last("panel/events") == 4


async def test_a_panel_that_restarts_its_numbers_is_heard_again() -> None:
    bench = Bench()
    await bench.event("1130 01 015", "0001")
    await bench.event("3130 01 015", "0002")
    bench.wait(UNDATED_WINDOW_S + 1)
    assert (await bench.event("1130 01 015", "0001"))[0] is Outcome.TAKEN
    assert bench.sink.last("zone15/alarm") == "burglary"


async def test_a_dated_message_is_known_for_a_day() -> None:
    bench = Bench()
    await bench.event("1130 01 015", tail=AT)
    bench.wait(DATED_WINDOW_S - 1)
    assert (await bench.event("1130 01 015", tail=AT))[0] is Outcome.DUPLICATE


async def test_supervision_is_acknowledged_and_is_no_event() -> None:
    bench = Bench()
    outcome, reply = await bench.send('"NULL"0008R1L0#1234[]')
    assert outcome is Outcome.SUPERVISION
    assert b'"ACK"0008R1L0#1234[]' in reply
    assert bench.sink.last("link/state") == "up"
    assert bench.sink.last("panel/events") is None


async def test_an_event_of_an_unmapped_code_is_taken() -> None:
    bench = Bench()
    outcome, _ = await bench.event("1999 01 002", tail="[IWest door]")
    assert outcome is Outcome.TAKEN
    assert bench.sink.last("panel/event") == "ADM-CID 1999 01 002 [IWest door]"


async def test_a_block_that_is_no_event_is_answered_duh() -> None:
    bench = Bench()
    outcome, reply = await bench.event("hello")
    assert outcome is Outcome.NO_EVENT
    assert b'"DUH"0001L0#1234[]' in reply
    assert len(bench.sink.refused) == 1


async def test_another_format_is_answered_duh() -> None:
    bench = Bench()
    outcome, reply = await bench.send('"ACR-SF"0009L0#1234[#1234|0000 0000 00]')
    assert outcome is Outcome.UNSUPPORTED
    assert b'"DUH"0009L0#1234[]' in reply
    assert "set the panel's reporting format to Contact ID or SIA" in str(bench.sink.refused[0][1])


async def test_silence_is_the_answer_to_strangers_flaws_and_ciphers() -> None:
    bench = Bench()
    assert await bench.send('"ADM-CID"0001L0#9999[#9999|1130 01 015]') == (Outcome.UNKNOWN_ACCOUNT, b"")
    assert await bench.send('"*ADM-CID"0001L0#1234[3C2CE0ACC61B29E8]') == (Outcome.NOT_DECIPHERED, b"")
    flawed = await bench.receiver.take(b'00000027"ADM-CID"0007L0#1234[#1234|1130 01 015]', bench.sink)
    assert (flawed.outcome, flawed.reply) == (Outcome.UNREADABLE, b"")
    bench.receiver.refuse_junk(Junk(b"noise", "bytes outside a frame"), bench.sink)
    assert [str(error).split(";")[0] for _, error in bench.sink.refused] == [
        "DC-09 message of account 9999, expected 1234 or another panel's of this port",
        "DC-09 message 0001 of account 1234 is encrypted and there is no key",
        "DC-09 frame refused (crc): it says 0000, its bytes give 70B8",
        "DC-09 stream of account 1234: bytes outside a frame",
    ]
    assert bench.sink.taken == []
    await bench.receiver.report_link(bench.sink)
    assert bench.sink.last("link/protocol_errors") == 4
    assert bench.sink.last("link/state") == "unknown"


async def test_the_account_is_compared_without_case() -> None:
    bench = Bench(account="abcd")
    assert (await bench.send('"NULL"0001L0#ABCD[]'))[0] is Outcome.SUPERVISION
    assert (await bench.send('"NULL"0001L0#aBcD[]'))[0] is Outcome.SUPERVISION


async def test_a_silent_panel_is_down_after_three_intervals_and_its_return_is_a_reconnect() -> None:
    bench = Bench(supervision_s=60)
    await bench.receiver.report_link(bench.sink)
    assert bench.sink.last("link/state") == "unknown"
    await bench.send('"NULL"0001L0#1234[]')
    bench.wait(180)
    await bench.receiver.report_link(bench.sink)
    assert (bench.sink.last("link/state"), bench.sink.last("link/supervision_age")) == ("up", 180)
    bench.wait(1)
    await bench.receiver.report_link(bench.sink)
    assert (bench.sink.last("link/state"), bench.sink.last("link/supervision_age")) == ("down", 181)
    assert bench.sink.last("link/reconnects") == 0
    await bench.send('"NULL"0002L0#1234[]')
    assert (bench.sink.last("link/state"), bench.sink.last("link/reconnects")) == ("up", 1)
    await bench.send('"NULL"0003L0#1234[]')
    assert bench.sink.last("link/reconnects") == 1


async def test_a_panel_never_heard_is_down_after_three_intervals() -> None:
    bench = Bench(supervision_s=60)
    await bench.receiver.report_link(bench.sink)
    bench.wait(181)
    await bench.receiver.report_link(bench.sink)
    assert bench.sink.last("link/state") == "down"
    await bench.send('"NULL"0001L0#1234[]')
    assert (bench.sink.last("link/state"), bench.sink.last("link/reconnects")) == ("up", 0)


async def test_a_jump_of_the_wall_clock_does_not_silence_the_panel() -> None:
    bench = Bench(supervision_s=60)
    await bench.send('"NULL"0001L0#1234[]')
    bench.clock.advance(2 * 365 * 86_400_000)
    await bench.receiver.report_link(bench.sink)
    assert (bench.sink.last("link/state"), bench.sink.last("link/supervision_age")) == ("up", 0)


async def test_the_next_look_is_at_the_verdict() -> None:
    bench = Bench(supervision_s=60)
    await bench.send('"NULL"0001L0#1234[]')
    bench.wait(170)
    assert 10 < bench.receiver.seconds_to_verdict() < 10.1
    bench.wait(bench.receiver.seconds_to_verdict())
    await bench.receiver.report_link(bench.sink)
    assert bench.sink.last("link/state") == "down"
    assert bench.receiver.seconds_to_verdict() == float("inf")


async def test_clock_skew_is_the_panels_time_minus_ours() -> None:
    bench = Bench()
    await bench.send('"NULL"0001L0#1234[]')
    assert bench.sink.last("clock/skew") is None
    await bench.send('"NULL"0002L0#1234[]_09:16:00,11-22-2026')
    assert bench.sink.last("clock/skew") == 42


async def test_a_message_that_waited_in_the_panel_is_no_slow_clock() -> None:
    bench = Bench()
    await bench.send(f'"NULL"0001L0#1234[]{AT}')
    await bench.event("1301 00 000", "0002", "_08:00:00,11-22-2026")
    assert bench.sink.last("clock/skew") == 0
    bench.wait(700)
    sent_at = datetime.fromtimestamp(bench.clock.now_ms() / 1000 - 5, UTC)
    await bench.send(f'"NULL"0003L0#1234[]_{sent_at:%H:%M:%S,%m-%d-%Y}')
    assert bench.sink.last("clock/skew") == -5


async def test_the_window_of_messages_is_bounded() -> None:
    recent = RecentMessages()
    for number in range(MOST_MESSAGES + 100):
        frame = parse_frame(
            seal(f'"ADM-CID"{number % 10000:04d}L0#1234[#1234|1130 01 {number % 1000:03d}]_{number}'.encode())[1:-1]
        )
        recent.remember([frame], number / 100)
    assert len(recent) == MOST_MESSAGES
    recent.remember([frame], DATED_WINDOW_S * 2)
    assert len(recent) == 1


@given(st.lists(st.binary(max_size=120), max_size=5))
async def test_random_frames_are_refused_and_a_good_one_still_comes_through(noise: list[bytes]) -> None:
    bench = Bench()
    for raw in noise:
        answer = await bench.receiver.take(raw, bench.sink)
        assert answer.reply == b""
    assert len(bench.sink.refused) == len(noise)
    assert (await bench.event("1130 01 015"))[0] is Outcome.TAKEN


@given(st.text(max_size=80))
async def test_any_data_block_is_answered_ack_or_duh(data: str) -> None:
    bench = Bench()
    outcome, reply = await bench.send(f'"ADM-CID"0001L0#1234[{data}]')
    assert outcome in {Outcome.TAKEN, Outcome.NO_EVENT, Outcome.UNREADABLE}
    assert (b'"ACK"' in reply) == (outcome is Outcome.TAKEN)


async def test_sia_codes_are_committed_then_acknowledged() -> None:
    bench = Bench()
    outcome, reply = await bench.send('"SIA-DCS"0009L0#1234[#1234|Nri1/BA015/TA016]')
    assert outcome is Outcome.TAKEN
    assert b'"ACK"0009L0#1234[]' in reply
    assert bench.sink.last("panel/event") == "SIA-DCS Nri1/BA015/TA016"
    assert bench.sink.last("panel/events") == 1
    assert bench.sink.last("zone15/alarm") == "burglary"
    assert bench.sink.last("zone16/tamper") == "tamper"


async def test_a_message_with_a_restore_after_an_alarm_of_the_other_format_ends_it() -> None:
    bench = Bench()
    await bench.event("1130 01 015", "0001")
    await bench.send('"SIA-DCS"0002L0#1234[#1234|Nri1/BH015]')
    assert bench.sink.last("zone15/alarm") == "restored"


async def test_an_unknown_code_is_kept_and_acknowledged_unless_it_is_to_be_left_to_the_panel() -> None:
    for body in ('"ADM-CID"0001L0#1234[#1234|1999 01 002]', '"SIA-DCS"0001L0#1234[#1234|Nri1/QZ2]'):
        bench = Bench()
        outcome, reply = await bench.send(body)
        assert outcome is Outcome.TAKEN
        assert b'"ACK"0001' in reply
        assert len(bench.sink.all("panel/event")) == 1
        strict = Bench(unknown_code="duh")
        outcome, reply = await strict.send(body)
        assert outcome is Outcome.UNKNOWN_CODE
        assert b'"DUH"0001' in reply
        assert strict.sink.all("panel/event") == []
        assert len(strict.sink.refused) == 1
        assert (await strict.event("1305 00 000"))[0] is Outcome.TAKEN, "known, though it changes no signal"


async def test_an_event_keeps_the_time_of_its_occurrence_by_our_clock() -> None:
    bench = Bench()
    await bench.send('"NULL"0001L0#1234[]_09:16:18,11-22-2026')  # a minute ahead
    await bench.event("1130 01 015", "0002", "[H09:11:18,11-22-2026][V192.0.2.7]_09:16:18,11-22-2026")
    event = next(seen for seen in bench.sink.taken if seen.path == "panel/event")
    assert event.observed_at_ms == NOW_MS - 300_000
    assert event.value == "ADM-CID 1130 01 015 [H09:11:18,11-22-2026][V192.0.2.7]"
    alarm = next(seen for seen in bench.sink.taken if seen.path == "zone15/alarm")
    assert alarm.observed_at_ms is None, "what holds now is told as of now"


async def test_the_factor_and_the_grace_decide_when_the_line_fails() -> None:
    bench = Bench(supervision_s=10, supervision_factor=2, supervision_grace_s=5)
    await bench.send('"NULL"0001L0#1234[]')
    bench.wait(25)
    await bench.receiver.report_link(bench.sink)
    assert bench.sink.last("link/state") == "up"
    bench.wait(1)
    await bench.receiver.report_link(bench.sink)
    assert bench.sink.last("link/state") == "down"


async def test_any_message_restarts_supervision() -> None:
    bench = Bench()
    for sequence in range(1, 6):
        assert (await bench.event("1602 00 000", f"{sequence:04d}"))[0] is Outcome.TAKEN
        bench.wait(170)
    await bench.receiver.report_link(bench.sink)
    assert (bench.sink.last("link/state"), bench.sink.last("link/reconnects")) == ("up", 0)


@given(st.text(max_size=80))
async def test_any_sia_block_is_answered_ack_or_duh(data: str) -> None:
    bench = Bench()
    outcome, reply = await bench.send(f'"SIA-DCS"0001L0#1234[#1234|N{data}]')
    assert outcome in {Outcome.TAKEN, Outcome.NO_EVENT, Outcome.UNREADABLE}
    assert (b'"ACK"' in reply) == (outcome is Outcome.TAKEN)
