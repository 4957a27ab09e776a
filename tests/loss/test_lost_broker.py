"""The broker is killed and everything it kept is gone: what it had acknowledged, too."""

from pathlib import Path

from tests.loss.branch import Branch, until


async def test_a_broker_wiped_in_mid_traffic_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with Branch(tmp_path).standing() as branch, branch.serving() as collector:
        async with branch.reading(pause_s=0.005):
            for _ in range(4):
                await branch.say(100)
                await branch.lose_broker()
            await branch.say(100)
            await branch.whole(collector)
        await branch.drained(collector)
        await branch.count(collector, at_least=500)


async def test_what_a_wiped_broker_had_acknowledged_is_found_missing_and_asked_for(tmp_path: Path) -> None:
    """The hardest case: the gateway believes all is well, and only the numbers of its packs tell that it is not."""
    async with Branch(tmp_path).standing() as branch:
        async with branch.serving() as collector, branch.reading():
            await branch.say(20)
            await branch.whole(collector)
        async with branch.reading() as gateway:  # the broker takes everything for a server that is away
            await branch.say(50)
            before = branch.figures().acknowledged_packs
            await until("the broker took many packs", lambda: branch.figures().acknowledged_packs > before + 20)
            await branch.lose_broker()
            async with branch.serving() as collector:
                await branch.say(20)
                await branch.whole(collector)
                assert (await gateway.outbox.statistics()).resent_packs > 0
        async with branch.serving() as collector:
            await branch.drained(collector)
            await branch.count(collector, at_least=90)
