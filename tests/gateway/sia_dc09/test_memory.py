"""What a panel's driver knows again in the next life of the gateway."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.devices import ALARM_PANEL
from gateway.drivers.sia_dc09.duplicates import DATED_WINDOW_S, MOST_MESSAGES, UNDATED_WINDOW_S
from gateway.drivers.sia_dc09.frame import seal
from gateway.drivers.sia_dc09.memory import read, standing
from gateway.drivers.sia_dc09.outcome import Outcome
from gateway.drivers.sia_dc09.receiver import Receiver
from gateway.drivers.sia_dc09.settings import Settings
from runtime.clock import ManualClock
from tests.gateway.sia_dc09.recording_sink import RecordingSink

NOW_MS = 1_795_338_918_000  # 2026-11-22 09:15:18 UTC
AT = "_09:15:18,11-22-2026"


class Lives:
    """One panel, and a receiver that dies and is born again over the same memory."""

    def __init__(self) -> None:
        self.sink = RecordingSink(ALARM_PANEL)
        self.steady_s = 1000.0
        self.account = "1234"
        self.receiver: Receiver

    async def born(self) -> None:
        settings = Settings(listen_port=1, account=self.account, areas=(1, 2))
        self.receiver = Receiver(settings, ManualClock(NOW_MS), lambda: self.steady_s)
        await self.receiver.recall(self.sink)

    async def reborn(self, after_s: float = 0.0) -> None:
        """Die and come back; the computer was started, too, so its steady clock begins anew."""
        self.steady_s = after_s
        await self.born()

    async def live(self, seconds: float) -> None:
        self.steady_s += seconds
        await self.receiver.report_link(self.sink)

    async def say(self, event: str, sequence: int, tail: str = "") -> Outcome:
        body = f'"ADM-CID"{sequence:04d}L0#{self.account}[#{self.account}|{event}]{tail}'
        return (await self.receiver.take(seal(body.encode())[1:-1], self.sink)).outcome

    def words(self) -> dict[str, float | str]:
        """Newest value of everything that follows from events."""
        return {
            seen.path: seen.value
            for seen in self.sink.taken
            if seen.path.partition("/")[0] not in {"link", "clock"} and seen.path != "panel/event"
        }


CODES = [
    f"{code}"
    for code in (
        130,
        133,
        120,
        139,
        301,
        302,
        311,
        383,
        384,
        401,
        441,
        452,
        454,
        406,
        461,
        570,
        574,
        602,
        607,
        627,
        628,
        999,
    )
]
EVENTS = st.builds(
    lambda qualifier, code, area, number: f"{qualifier}{code} {area:02d} {number:03d}",
    st.sampled_from("136"),
    st.sampled_from(CODES),
    st.integers(0, 3),
    st.integers(0, 2),
)


@given(st.lists(st.tuples(EVENTS, st.booleans()), max_size=12))
async def test_deaths_between_events_change_nothing_of_what_is_known(life: list[tuple[str, bool]]) -> None:
    dying, steady = Lives(), Lives()
    await dying.born()
    await steady.born()
    for sequence, (event, dies) in enumerate(life, 1):
        for lives in (dying, steady):
            assert await lives.say(event, sequence) is Outcome.TAKEN
        if dies:
            await dying.reborn()
            assert await dying.say(event, sequence) is Outcome.DUPLICATE
    assert dying.sink.all("panel/event") == steady.sink.all("panel/event")
    assert dying.words() == steady.words()
    told_before = len(dying.sink.taken)
    await dying.reborn()
    await dying.receiver.take(seal(b'"NULL"0099L0#1234[]')[1:-1], dying.sink)
    retold = {seen.path: seen.value for seen in dying.sink.taken[told_before:]}
    events = {"panel/events"} | {path for path in steady.words() if ALARM_PANEL.signal(path).sort == "event"}  # type: ignore[union-attr]
    assert steady.words().keys() - events <= retold.keys()
    assert {path: retold[path] for path in steady.words().keys() - events} == {
        path: value for path, value in steady.words().items() if path not in events
    }


async def test_time_the_gateway_was_dead_makes_no_message_older() -> None:
    lives = Lives()
    await lives.born()
    await lives.say("1130 01 015", 1)
    await lives.reborn(after_s=50_000)
    assert await lives.say("1130 01 015", 1) is Outcome.DUPLICATE


async def test_time_the_gateway_lived_makes_messages_older_over_any_number_of_lives() -> None:
    lives = Lives()
    await lives.born()
    await lives.say("1301 00 000", 1)
    await lives.say("1130 01 015", 2, AT)
    for _ in range(3):
        await lives.live(UNDATED_WINDOW_S / 2)
        await lives.reborn()
    assert await lives.say("1301 00 000", 1) is Outcome.TAKEN, "a panel that restarted with the power counts anew"
    assert await lives.say("1130 01 015", 2, AT) is Outcome.DUPLICATE
    await lives.live(DATED_WINDOW_S + 1)
    await lives.reborn()
    assert await lives.say("1130 01 015", 2, AT) is Outcome.TAKEN


async def test_a_commit_whose_run_was_cut_off_is_known_to_the_next_run() -> None:
    lives = Lives()
    await lives.born()
    before = dict(lives.sink.memory)
    await lives.say("1130 01 015", 1)
    committed, taken = dict(lives.sink.memory), len(lives.sink.all("panel/event"))
    lives.sink.memory = before
    await lives.receiver.recall(lives.sink)  # knows nothing of it, as a run that was cancelled while it committed
    lives.sink.memory = committed
    await lives.receiver.recall(lives.sink)
    assert await lives.say("1130 01 015", 1) is Outcome.DUPLICATE
    assert len(lives.sink.all("panel/event")) == taken == 1


async def test_nothing_is_kept_of_a_message_that_was_not_committed() -> None:
    lives = Lives()
    await lives.born()
    lives.sink.is_full = True
    assert await lives.say("1130 01 015", 1) is Outcome.NOT_COMMITTED
    assert lives.sink.memory == {}
    lives.sink.is_full = False
    await lives.reborn()
    assert await lives.say("1130 01 015", 1) is Outcome.TAKEN
    assert lives.sink.last("zone15/alarms") == 1


async def test_the_memory_of_messages_is_bounded_by_their_window() -> None:
    lives = Lives()
    await lives.born()
    for number in range(MOST_MESSAGES + 50):
        await lives.say("6602 00 000", number % 10_000, f"_{number}")
    kept = [key for key in lives.sink.memory if key.startswith("message/")]
    assert len(kept) == MOST_MESSAGES
    lives.steady_s += DATED_WINDOW_S + 1
    await lives.say("6602 00 000", 1)
    assert len([key for key in lives.sink.memory if key.startswith("message/")]) == 1


async def test_another_panel_at_the_same_place_begins_with_nothing() -> None:
    lives = Lives()
    await lives.born()
    await lives.say("1130 01 015", 1)
    lives.account = "5678"
    await lives.reborn()
    assert lives.sink.memory == {}
    await lives.say("3133 01 015", 1)
    assert lives.sink.last("zone15/alarm") == "restored"
    assert lives.sink.last("panel/events") == 1


def test_what_cannot_be_read_is_left_out_and_the_rest_is_known() -> None:
    kept = {
        **{key: text for key, text in standing("1234", 7.5, {"events": 3}).items() if text is not None},
        "condition/130/15/zone15/alarm": "burglary",
        "condition/130": "burglary",
        "condition/130/x/zone1/alarm": "burglary",
        "counter/zone15/alarms": "many",
        "message/0a": "yesterday",
        "area/x": "",
        "of a later version": "1",
    }
    past = read(kept, (1,))
    assert {(held.path, held.number) for held in past.state.holding} == {("zone15/alarm", 15)}
    assert past.lived_s == 7.5
    assert dict(past.counts) == {"events": 3}
    assert dict(past.messages) == {}
    assert past.state.areas == frozenset({1})
