"""The alarm-panel driver against the simulated panel, each written from the protocol's description alone."""

import asyncio

from tests.protocols.panel_branch import Branch


async def test_an_intrusion_is_seen_within_a_second_and_its_repair_restores_the_zone() -> None:
    branch = Branch()
    async with branch.running():
        await branch.panel.inject("intrusion")
        async with asyncio.timeout(1):
            await branch.until(lambda: branch.sink.last("zone3/alarm") == "burglary")
        await branch.panel.repair("intrusion")
        await branch.until(lambda: branch.sink.last("zone3/alarm") == "restored")
        await branch.settled()
    assert branch.sink.last("zone3/alarms") == 1
    assert branch.sink.refused == []
    assert not branch.panel.not_understood


async def test_every_failure_of_the_panel_is_told_by_its_signal() -> None:
    branch = Branch()
    expected = {
        "holdup": ("zone12/alarm", "holdUp", "restored"),
        "mains_loss": ("panel/ac_power", "loss", "restored"),
        "battery_low": ("panel/battery", "low", "restored"),
        "tamper": ("panel/tamper", "tamper", "restored"),
    }
    async with branch.running():
        for failure, (path, word, rest) in expected.items():
            await branch.panel.inject(failure)
            await branch.until(lambda path=path, word=word: branch.sink.last(path) == word)  # type: ignore[misc]
            await branch.panel.repair(failure)
            await branch.until(lambda path=path, rest=rest: branch.sink.last(path) == rest)  # type: ignore[misc]
    assert {"intrusion", "silence", *expected} <= set(branch.panel.failures)
    assert branch.sink.last("panel/programming") == "inactive"
    assert branch.sink.refused == []


async def test_a_silent_panel_takes_the_link_down_and_comes_back() -> None:
    branch = Branch()
    async with branch.running():
        await branch.panel.inject("silence")
        await branch.until(lambda: branch.sink.last("link/state") == "down")
        await branch.panel.repair("silence")
        await branch.until(lambda: branch.sink.last("link/state") == "up")
        assert branch.sink.last("link/reconnects") == 1


async def test_what_happened_while_the_receiver_was_away_arrives_once_and_in_order() -> None:
    branch = Branch()
    async with branch.living():
        for failure in ("mains_loss", "intrusion"):
            await branch.panel.inject(failure)
        await branch.panel.repair("intrusion")
        async with branch.driving():
            await branch.settled()
    told = branch.sink.all("panel/event")
    wanted = ["ADM-CID 1301", "ADM-CID 1130", "ADM-CID 3130"]
    assert [str(text)[:12] for text in told if str(text)[:12] in wanted] == wanted
    assert branch.sink.last("panel/events") == len(told) == len(branch.panel.acknowledged)
    assert branch.sink.last("panel/ac_power") == "loss"
    assert branch.sink.last("zone3/alarm") == "restored"


async def test_nothing_is_lost_or_doubled_while_the_outbox_fails_and_replies_are_lost() -> None:
    branch = Branch(lose_replies=0.3)
    async with branch.running():
        for round_ in range(8):
            branch.sink.is_full = round_ % 3 == 1
            met = branch.sink.turned_away
            await branch.panel.inject("intrusion")
            await branch.panel.repair("intrusion")
            if branch.sink.is_full:
                await branch.until(lambda met=met: branch.sink.turned_away > met + 1)  # type: ignore[misc]
                assert branch.panel.waiting > 0
                branch.sink.is_full = False
            await branch.settled()
    assert branch.panel.counts.replies_lost > 0
    assert branch.sink.last("link/duplicates") == branch.panel.counts.replies_lost
    told = [str(text) for text in branch.sink.all("panel/event")]
    assert sum(text.startswith("ADM-CID 1130") for text in told) == 8
    assert sum(text.startswith("ADM-CID 3130") for text in told) == 8
    assert branch.sink.last("zone3/alarms") == 8
    assert branch.sink.last("zone3/alarm") == "restored"


async def test_the_panels_clock_is_measured() -> None:
    branch = Branch(clock_offset_s=90.0)
    async with branch.running():
        await branch.until(lambda: branch.sink.last("clock/skew") is not None)
        skew_s = branch.sink.last("clock/skew")
    assert isinstance(skew_s, float)
    assert 88 <= skew_s <= 91
