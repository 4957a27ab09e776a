"""Who is there: statuses in any order, silence while somebody listens, and gateways that go on sending."""

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.fleet import GatewayState
from collector.presence import Presence
from collector.settings import SILENCE_S, CollectorSettings
from contracts.devices import GATEWAY
from contracts.gateway_messages import GatewayStatus
from tests.collector.parts import BOOT, BRANCH, NOW_MS

SILENCE_MS = 180_000


def said(online: bool, since_ms: int, boot: str = BOOT) -> GatewayStatus:
    return GatewayStatus(online=online, boot=boot, since=since_ms, version="0.1.0")


def state(online: bool, session_ms: int, *, since_ms: int = NOW_MS, silent: bool = False) -> GatewayState:
    return GatewayState(BRANCH, online, BOOT, since_ms, "0.1.0", session_ms, silent)


class Watcher:
    """A presence, what it made of everything so far, and the time."""

    def __init__(self, known: GatewayState | None = None) -> None:
        self.presence = Presence(SILENCE_MS)
        self.now_ms = NOW_MS
        self.known = known
        self.presence.listen(self.now_ms, connected=True)

    def hear(self, status: GatewayStatus) -> GatewayState | None:
        found = self.presence.hear(BRANCH, status, self.known, self.now_ms)
        self.known = found or self.known
        return found

    def pack(self, boot: str = BOOT) -> None:
        self.presence.notice(BRANCH, boot, self.now_ms)

    def listen(self, seconds: int, *, connected: bool = True, packs: bool = False) -> None:
        for _ in range(seconds):
            self.now_ms += 1000
            if packs:
                self.pack()
            self.presence.listen(self.now_ms, connected=connected)
            if self.known is not None and connected:
                self.known = self.presence.look(self.known, self.now_ms) or self.known

    @property
    def online(self) -> bool:
        assert self.known is not None
        return self.known.online


def test_the_silence_is_three_heartbeats_of_what_every_gateway_sends() -> None:
    signal = GATEWAY.signal("uplink/packs_sent")
    assert signal is not None
    assert signal.heartbeat_s is not None
    assert CollectorSettings().silence_s == SILENCE_S == 3 * signal.heartbeat_s


def test_a_silence_shorter_than_the_reviews_can_see_is_refused() -> None:
    with pytest.raises(ValueError, match="silence_s 3: expected at least 4, four times review_s"):
        CollectorSettings(silence_s=3)


def test_an_old_will_delivered_again_behind_the_new_hello_is_no_news() -> None:
    watcher = Watcher()
    watcher.hear(said(True, NOW_MS - 9_000))
    watcher.hear(said(False, NOW_MS - 9_000))
    watcher.hear(said(True, NOW_MS - 3_000))
    assert watcher.hear(said(False, NOW_MS - 9_000)) is None
    assert watcher.online


def test_a_hello_delivered_again_behind_the_will_of_its_connection_is_no_news() -> None:
    watcher = Watcher()
    watcher.hear(said(True, NOW_MS))
    watcher.hear(said(False, NOW_MS))
    assert watcher.hear(said(True, NOW_MS)) is None
    assert not watcher.online


STATUSES = [said(True, NOW_MS - 50), said(False, NOW_MS - 50), said(True, NOW_MS - 40), said(False, NOW_MS - 35)]


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("again", [None, 0, 1, 2])
def test_in_whatever_order_statuses_arrive_the_newest_wins(order: tuple[int, ...], again: int | None) -> None:
    watcher = Watcher()
    for number in (*order, *([] if again is None else [again])):
        watcher.hear(STATUSES[number])
    assert watcher.known is not None
    assert (watcher.online, watcher.known.session_ms) == (False, NOW_MS - 35)
    watcher.hear(said(True, NOW_MS - 10))
    for number in order:
        watcher.hear(STATUSES[number])
    assert watcher.online


@given(st.lists(st.tuples(st.booleans(), st.integers(NOW_MS - 5, NOW_MS)), min_size=1), st.randoms())
def test_the_last_word_of_the_newest_connection_wins_over_any_order(
    words: list[tuple[bool, int]], random: Random
) -> None:
    newest_ms = max(since_ms for _, since_ms in words)
    expected = all(online for online, since_ms in words if since_ms == newest_ms)
    for _ in range(3):
        watcher = Watcher()
        random.shuffle(words)
        for online, since_ms in words:
            watcher.hear(said(online, since_ms))
        assert watcher.online == expected


def test_a_gateway_whose_clock_was_hours_ahead_and_put_right_is_believed_again() -> None:
    watcher = Watcher()
    watcher.hear(said(True, NOW_MS + 7_200_000))
    watcher.hear(said(False, NOW_MS + 7_200_000))
    watcher.hear(said(True, NOW_MS - 5))
    assert watcher.online


def test_offline_since_does_not_go_back_before_the_gateway_was_last_heard() -> None:
    watcher = Watcher()
    watcher.hear(said(True, NOW_MS - 3_600_000))
    watcher.listen(30, packs=True)
    heard_ms = watcher.now_ms
    watcher.listen(5)
    watcher.hear(said(False, NOW_MS - 1_800_000))  # an orderly goodbye by a clock half an hour behind
    assert watcher.known == state(False, NOW_MS - 1_800_000, since_ms=heard_ms)


def test_online_since_does_not_go_back_before_the_absence_it_ends() -> None:
    watcher = Watcher(state(False, NOW_MS - 60_000, since_ms=NOW_MS - 20_000))
    watcher.hear(said(True, NOW_MS - 50_000))
    assert watcher.known == state(True, NOW_MS - 50_000, since_ms=NOW_MS - 20_000)


def test_a_gateway_that_sends_nothing_for_long_is_gone_since_its_last_pack() -> None:
    watcher = Watcher(state(True, NOW_MS))
    watcher.listen(60, packs=True)
    last_ms = watcher.now_ms
    watcher.listen(179)
    assert watcher.online
    watcher.listen(1)
    assert watcher.known == state(False, NOW_MS, since_ms=last_ms, silent=True)
    watcher.pack()
    watcher.listen(1)
    assert watcher.known == state(True, NOW_MS, since_ms=watcher.now_ms - 1000)


def test_while_we_do_not_listen_nobody_falls_silent() -> None:
    watcher = Watcher(state(True, NOW_MS))
    watcher.listen(1000, connected=False)
    watcher.listen(179)
    assert watcher.online
    watcher.listen(2)
    assert not watcher.online


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000])
def test_after_we_were_held_up_or_our_clock_was_set_silence_counts_anew(jump_ms: int) -> None:
    watcher = Watcher(state(True, NOW_MS, since_ms=NOW_MS - 7_200_000))
    watcher.listen(60, packs=True)
    watcher.now_ms += jump_ms
    watcher.listen(60)
    assert watcher.online
    watcher.now_ms -= jump_ms
    watcher.listen(60)
    assert watcher.online


def test_the_will_of_a_silent_gateway_ends_its_connection_for_good() -> None:
    watcher = Watcher(state(False, NOW_MS, silent=True))
    assert watcher.hear(said(True, NOW_MS)) is None, "it said that before it fell silent"
    assert watcher.hear(said(False, NOW_MS)) == state(False, NOW_MS)


def test_packs_that_come_late_do_not_bring_a_gateway_back_that_said_goodbye() -> None:
    watcher = Watcher()
    watcher.hear(said(True, NOW_MS - 9_000))
    watcher.hear(said(False, NOW_MS - 1_000))
    watcher.listen(60, packs=True)
    assert not watcher.online
    watcher.listen(600)
    assert not watcher.online


def test_a_gateway_that_goes_on_sending_is_there_whatever_its_statuses_say() -> None:
    """A computer without a clock of its own begins somewhere in the past, so its hello seems to be an old one."""
    watcher = Watcher(state(False, NOW_MS))
    assert watcher.hear(said(True, NOW_MS - 86_400_000, "a-new-outbox")) is None
    for _ in range(200):
        watcher.pack("a-new-outbox")
        watcher.listen(1)
    assert watcher.known is not None
    assert (watcher.online, watcher.known.boot) == (True, "a-new-outbox")
    assert watcher.presence.take_returned() == {(BRANCH, "a-new-outbox")}


def test_each_new_connection_is_a_return_and_nothing_else_is() -> None:
    watcher = Watcher()
    watcher.hear(said(True, NOW_MS - 50))
    assert watcher.presence.take_returned() == {(BRANCH, BOOT)}
    watcher.hear(said(True, NOW_MS - 50))
    watcher.hear(said(False, NOW_MS - 50))
    assert watcher.presence.take_returned() == set()
    watcher.hear(said(True, NOW_MS - 40))
    watcher.hear(said(True, NOW_MS - 30))
    assert watcher.presence.take_returned() == {(BRANCH, BOOT)}
