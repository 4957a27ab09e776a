"""Packs written by hand and sent with Debian's mosquitto_pub, over Debian's mosquitto and over nats-server."""

from pathlib import Path

from contracts.topics import Channel, topic
from runtime.clock import ManualClock
from runtime.database import Database
from runtime.settings import BrokerSettings
from tests.collector.parts import ATM, BRANCH, NOW_MS, inventory, make_collector, raw_pack
from tests.collector.test_intake import running, until
from tests.collector.test_reception import BAD_RECORDS, COUNT, WHOLE
from tests.mosquitto import mosquitto_pub


async def test_over_mosquitto_hand_written_packs_are_stored_and_malformed_ones_kept_with_their_reason(
    mosquitto: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    await send_good_and_bad(mosquitto, ops, tmp_path)


async def test_over_nats_hand_written_packs_are_stored_and_malformed_ones_kept_with_their_reason(
    broker: BrokerSettings, ops: Database, tmp_path: Path
) -> None:
    await send_good_and_bad(broker, ops, tmp_path)


async def send_good_and_bad(settings: BrokerSettings, ops: Database, tmp_path: Path) -> None:
    collector = make_collector(tmp_path, ops, ManualClock(NOW_MS), broker=settings)
    telemetry = topic(BRANCH, Channel.TELEMETRY)
    async with running(collector):
        await mosquitto_pub(settings, topic(BRANCH, Channel.INVENTORY), inventory(("atm-01", "atm")))
        await until(lambda: collector.fleet.device(ATM) is not None)
        whole = [(payload, code) for payload, code, _ in WHOLE.values()]
        # Sent with seqs of their own, so that none is taken for another's duplicate.
        numbered = [
            (payload.replace(b'"v": 1}', b'"v": %d}' % seq, 1), code) for seq, (payload, code) in enumerate(whole, 1)
        ]
        partly = [(raw_pack(COUNT, bad, seq=100 + seq), code) for seq, (bad, code) in enumerate(BAD_RECORDS.values())]
        goods = 1
        for number, (payload, _) in enumerate([*numbered, *partly]):
            await mosquitto_pub(settings, telemetry, payload)
            if number % 8 == 7:
                good = raw_pack({**COUNT, "v": number}, seq=1000 + number)
                await mosquitto_pub(settings, telemetry, good)
                goods += 1
                await until(lambda number=number: [found.value for found in collector.readings.latest(ATM)] == [number])  # type: ignore[misc]
        await mosquitto_pub(settings, f"branchwatch/v1/00/{BRANCH}/telemetry", raw_pack(COUNT, seq=5000))
        last = raw_pack({**COUNT, "v": 4242}, seq=6000)
        await mosquitto_pub(settings, telemetry, last)
        await until(lambda: [found.value for found in collector.readings.latest(ATM)] == [4242.0])
        counts: dict[str, int] = {}
        for count in await collector.quarantine.counts():
            counts[count.code] = counts.get(count.code, 0) + count.refused
        expected: dict[str, int] = {"bad_topic": 1}
        for _, code in (*numbered, *partly):
            expected[code] = expected.get(code, 0) + 1
        assert counts == expected
        assert len(counts) >= 10
        assert (await collector.audit()).readings == len(partly) + goods
