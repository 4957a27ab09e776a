"""Benchmark of the intake's review: ``python -m bench.review --json``.

Gateways that all send, each with earlier outboxes, refused packs and gaps; some miss packs, some go on filling holes. Timed is
:meth:`collector.review.IntakeReview.review` as the intake calls it every second, in processor time.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click
import msgspec
from prometheus_client import CollectorRegistry
from sqlalchemy import insert

from collector.app import hole_policy
from collector.fleet import Fleet
from collector.gaps import Gaps
from collector.identities import refused_as
from collector.latest import LatestValues
from collector.ledger import Ledger
from collector.listener import NobodyListens
from collector.metrics import IntakeMetrics
from collector.patience import Patience
from collector.presence import Presence
from collector.review import IntakeReview
from collector.series import SeriesRegistry
from collector.settings import CollectorSettings
from collector.stores import make_store
from collector.tables import fleet_gateway
from collector.uplink import UplinkSignals
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import ManualClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import configure_logs
from runtime.migration import upgrade
from runtime.settings import LogSettings
from runtime.supervisor import Backoff

BOOTS: Final = 3
"""Outboxes that a gateway has had."""

REFUSED: Final = 50
"""Packs that came and were refused, each for itself, of a gateway that misses one."""

_EVER_MS: Final = 10**12
_BEGIN_MS: Final = 1_795_348_800_000
_NOTHING: Final = ReadingBatch.of([])


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        gateways: how many.
        holes: open holes over all of them.
        quiet_ms: one review in which nothing is due, median.
        review_ms: one review of 60, heartbeats among them, mean.
    """

    gateways: int
    holes: int
    quiet_ms: float
    review_ms: float


def _packs(branch_id: str, number: int, upto: int, *, missing: bool) -> list[PackId]:
    """Packs of a gateway: of earlier outboxes, and of the present one up to ``upto``, some refused, one hole perhaps."""
    out = [PackId(branch_id, f"boot-{boot}", seq) for boot in range(BOOTS - 1) for seq in range(1, 4)]
    for seq in range(1, upto + 1):
        pack_id = PackId(branch_id, f"boot-{BOOTS - 1}", seq)
        if missing and seq % 2 == 0 and seq <= 2 * REFUSED:
            out.append(refused_as(pack_id))
        elif not (missing and seq == upto - 1 - number % 3):
            out.append(pack_id)
    return out


async def measure(gateways: int, reviews: int, missing_ratio: float, directory: Path) -> Result:
    """Let a collector without a broker review so many gateways.

    Args:
        gateways: how many.
        reviews: how many reviews, a second apart by the clock of the collector.
        missing_ratio: gateways that miss a pack.
        directory: for its store.
    """
    clock = ManualClock(_BEGIN_MS)
    database = Database(sqlite_url(directory / "ops.db"))
    await upgrade(database)
    names = [f"BR{number:05d}" for number in range(gateways)]
    await _make_gateways(database, names)
    settings, event_log = CollectorSettings(hole_tries=1_000), EventLog(database, clock)
    metrics, patience = IntakeMetrics(CollectorRegistry()), Patience(Backoff(), lambda _waiting: None)
    store = make_store(settings, directory, database, clock)
    fleet, gaps, registry, latest = (
        Fleet(database, event_log),
        Gaps(database, event_log, clock),
        SeriesRegistry(),
        LatestValues(),
    )
    ledger = Ledger(store, registry, latest, NobodyListens(), clock, metrics, patience)
    uplink, presence = UplinkSignals(registry, latest), Presence(_EVER_MS)
    review = IntakeReview(hole_policy(settings), fleet, ledger, gaps, uplink, presence, clock, metrics, patience)
    await store.open()
    try:
        await fleet.load()
        await ledger.load()
        every = round(1 / missing_ratio) if missing_ratio else gateways + 1
        packs = [
            pack
            for number, name in enumerate(names)
            for pack in _packs(name, number, 2 * REFUSED + 20, missing=number % every == 0)
        ]
        await ledger.commit(_NOTHING, packs)
        return await _time_reviews(review, clock, gateways, reviews)
    finally:
        await store.close()
        await database.close()


async def _make_gateways(database: Database, names: Sequence[str]) -> None:
    present = {
        "online": True, "boot": f"boot-{BOOTS - 1}", "since_ms": _BEGIN_MS, "version": "1", "session_ms": _BEGIN_MS,
        "silent": False,
    }  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(fleet_gateway), [{"branch_id": name, **present} for name in names])


async def _time_reviews(review: IntakeReview, clock: ManualClock, gateways: int, reviews: int) -> Result:
    took_ms: list[float] = []
    for _ in range(2):  # the first notices all there is
        await review.review(connected=True)
    for _ in range(reviews):
        clock.advance(1_000)
        began = time.process_time()
        await review.review(connected=True)
        took_ms.append((time.process_time() - began) * 1000)
    holes = sum(found.holes for found in review.open.values())
    return Result(gateways, holes, round(statistics.median(took_ms), 3), round(statistics.fmean(took_ms), 3))


@click.command()
@click.option("--gateways", default=5_000, show_default=True, type=click.IntRange(min=1))
@click.option("--reviews", default=60, show_default=True, type=click.IntRange(min=1))
@click.option("--missing", default=0.01, show_default=True, type=click.FloatRange(0, 1), help="Gateways with a hole.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(gateways: int, reviews: int, missing: float, as_json: bool) -> None:
    """Measure what a review of all gateways costs."""
    configure_logs(LogSettings(level="error"))
    with tempfile.TemporaryDirectory(prefix="branchwatch-review-") as directory:
        result = asyncio.run(measure(gateways, reviews, missing, Path(directory)))
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>12} {value}")


if __name__ == "__main__":
    main()
