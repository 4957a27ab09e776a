"""The alarm-panel driver against panels of every format, transport, key and peculiarity."""

import itertools
from typing import Any

import pytest

from simulators.alarm_panel import Quirks
from tests.protocols.panel_branch import Branch

KEYS = {0: None, 128: b"0123456789ABCDEF", 192: b"0123456789ABCDEF01234567", 256: bytes(range(32))}

QUIRKS = [
    Quirks(without_receiver_field=True),
    Quirks(without_timestamp=True),
    Quirks(several_frames_at_once=True),
    Quirks(frames_in_pieces=True),
    Quirks(lower_case_hex=True),
    Quirks(clock_off_s=-15.0),
    Quirks(clock_off_s=3600.0),
    Quirks(
        without_receiver_field=True, without_timestamp=True, several_frames_at_once=True, frames_in_pieces=True,
        lower_case_hex=True, clock_off_s=-90.0,
    ),
]  # fmt: skip

SIGNALS = {
    "intrusion": ("zone3/alarm", "burglary", "restored"),
    "holdup": ("zone12/alarm", "holdUp", "restored"),
    "fire": (None, "fire", "restored"),
    "gas": (None, "gas", "restored"),
    "water": (None, "water", "restored"),
    "mains_loss": ("panel/ac_power", "loss", "restored"),
    "battery_low": ("panel/battery", "low", "restored"),
    "battery_fault": ("panel/battery", "missing", "restored"),
    "tamper": ("panel/tamper", "tamper", "restored"),
    "siren_fault": ("panel/siren", "trouble", "restored"),
    "expander_fault": ("panel/expander", "trouble", "restored"),
    "zone_trouble": ("trouble", "trouble", "restored"),
    "zone_tamper": ("tamper", "tamper", "restored"),
    "detector_battery": ("battery", "low", "restored"),
    "zone_bypassed": ("bypass", "bypassed", "unbypassed"),
}
"""Failure → signal (or its last segment, where the zone is the simulator's own choice), its word, and its word at rest."""


def branch(key_bits: int = 0, protocol: str = "ADM-CID", transport: str = "tcp", **more: Any) -> Branch:
    key = KEYS[key_bits]
    settings: dict[str, object] = {"transport": transport}
    if key is not None:
        settings["key_hex"] = key.hex()
    return Branch(settings, protocol=protocol, transport=transport, key=key, **more)


def spoken(made: Branch, path: str | None, word: str) -> bool:
    """Whether the newest word of the signal, or of any zone's, is this one."""
    if path is not None and "/" in path:
        return made.sink.last(path) == word
    newest = {seen.path: seen.value for seen in made.sink.taken if seen.path.startswith("zone")}
    return any(name.endswith(f"/{path or 'alarm'}") and value == word for name, value in newest.items())


async def fail_and_repair(made: Branch, failure: str) -> None:
    path, word, rest = SIGNALS[failure]
    await made.panel.inject(failure)
    await made.until(lambda: spoken(made, path, word))
    await made.panel.repair(failure)
    await made.until(lambda: not spoken(made, path, word) and spoken(made, path, rest))


def all_is_told_once(made: Branch) -> None:
    told = made.sink.all("panel/event")
    assert not made.panel.not_understood
    assert made.sink.last("panel/events") == len(told) == len(made.panel.acknowledged)


@pytest.mark.parametrize(
    ("transport", "protocol", "key_bits"), list(itertools.product(["tcp", "udp"], ["ADM-CID", "SIA-DCS"], KEYS))
)
async def test_an_alarm_comes_through_in_every_format_over_every_transport_with_every_key(
    transport: str, protocol: str, key_bits: int
) -> None:
    made = branch(key_bits, protocol, transport)
    async with made.running():
        await fail_and_repair(made, "intrusion")
        await fail_and_repair(made, "mains_loss")
        await made.settled()
        await made.until(lambda: made.panel.counts.supervisions > 1)
    assert made.sink.refused == []
    assert made.panel.counts.replies_refused == 0
    assert str(made.sink.all("panel/event")[0]).startswith(f"{protocol} ")
    all_is_told_once(made)


@pytest.mark.parametrize("quirks", QUIRKS, ids=str)
@pytest.mark.parametrize("key_bits", [0, 128])
async def test_every_peculiarity_is_put_up_with(quirks: Quirks, key_bits: int) -> None:
    made = branch(key_bits, "SIA-DCS" if key_bits else "ADM-CID", quirks=quirks, reply_timeout_s=2.0)
    async with made.running():
        for failure in ("intrusion", "tamper", "holdup"):
            await fail_and_repair(made, failure)
        await made.settled()
    all_is_told_once(made)
    is_off = key_bits > 0 and not -40 <= quirks.clock_off_s <= 20
    assert made.panel.counts.clock_corrections >= is_off
    assert bool(made.sink.refused) == is_off
    assert made.panel.counts.replies_refused == 0


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_noise_before_frames_is_refused_and_the_frames_are_taken(transport: str) -> None:
    made = branch(transport=transport, quirks=Quirks(noise_before_frames=True), supervision_s=0.05)
    async with made.running():
        await fail_and_repair(made, "intrusion")
        await made.settled()
        await made.until(lambda: made.panel.counts.supervisions > 20)
    all_is_told_once(made)
    assert {str(error).partition(": ")[2] for _, error in made.sink.refused} == {"bytes outside a frame"}
    assert made.sink.last("link/reconnects") == 0, "noise beside good frames is no reason to hang up"


@pytest.mark.parametrize("protocol", ["ADM-CID", "SIA-DCS"])
async def test_every_failure_is_told_by_its_signal_in_both_formats(protocol: str) -> None:
    made = branch(protocol=protocol)
    async with made.running():
        assert set(SIGNALS) <= set(made.panel.failures)
        for failure in SIGNALS:
            await fail_and_repair(made, failure)
        await made.panel.inject("wrong_codes")
        await made.panel.inject("duress")
        await made.until(lambda: any(seen.path.endswith("/duress") for seen in made.sink.taken))
        await made.settled()
    assert made.sink.last("panel/programming") == "inactive"
    assert made.sink.last("panel/wrong_codes") is not None
    assert made.sink.refused == []
    all_is_told_once(made)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("key_bits", [0, 256])
async def test_nothing_is_lost_or_doubled_while_the_outbox_fails_and_replies_are_lost(
    transport: str, key_bits: int
) -> None:
    made = branch(key_bits, transport=transport, lose_replies=0.3)
    async with made.running():
        for round_ in range(5):
            made.sink.is_full = round_ % 3 == 1
            met = made.sink.turned_away
            await made.panel.inject("intrusion")
            await made.panel.repair("intrusion")
            if made.sink.is_full:
                await made.until(lambda met=met: made.sink.turned_away > met + 1)  # type: ignore[misc]
                assert made.panel.waiting > 0
                made.sink.is_full = False
            await made.settled()
    assert made.sink.last("zone3/alarms") == 5
    assert made.sink.last("zone3/alarm") == "restored"
    all_is_told_once(made)


async def test_a_panel_with_another_key_is_not_heard() -> None:
    made = Branch({"key_hex": "00" * 16}, key=KEYS[128])
    async with made.driving(), made.living():
        await made.panel.inject("intrusion")
        await made.until(lambda: len(made.sink.refused) > 2)
    assert made.sink.last("panel/event") is None
    assert made.panel.waiting > 0
    assert made.sink.last("link/state") != "up"


async def test_a_panel_whose_clock_runs_away_is_corrected_and_loses_nothing() -> None:
    made = branch(128, clock_offset_s=0.0)
    async with made.running():
        await made.panel.inject("clock_wrong")
        await made.until(lambda: made.panel.counts.clock_corrections > 0)
        await fail_and_repair(made, "intrusion")
        await made.settled()
    all_is_told_once(made)
    assert made.sink.last("zone3/alarms") == 1


async def test_panels_of_one_branch_share_a_port() -> None:
    first = branch(128, "SIA-DCS")
    second = Branch(port=first.port, account="4022")
    async with first.running(), second.running():
        for failure in ("intrusion", "mains_loss"):
            await fail_and_repair(first, failure)
            await fail_and_repair(second, failure)
        await first.settled()
        await second.settled()
    for made in (first, second):
        all_is_told_once(made)
        assert made.sink.refused == []
        assert made.sink.last("zone3/alarms") == 1
