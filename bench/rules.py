"""Benchmark of the rule engine: ``python -m bench.rules --json``.

The default catalogue over many series, each reporting once a round; in 0.1 % of the readings a state goes bad or good again.
Timed is :meth:`rules.engine.Engine.take`, in processor time, after a first round that is not.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import click
import msgspec
import numpy as np
import numpy.typing as npt

from bench.branches import BenchDevice, branch_ids, devices_of, series_of
from contracts.readings import Float64s, ReadingBatch, SeriesInfo
from rules.cases import HOURS
from rules.engine import Engine
from rules.files import load_rules
from rules.kinds.state import StateClause
from rules.pattern import PathPattern
from rules.rule import Rule

CHANGED_RATIO: Final = 0.001
READINGS_A_BATCH: Final = 50_000
"""500 packs of 100: what the intake takes at once under load."""

_BEGIN_MS: Final = 1_795_348_800_000
_ROUND_MS: Final = 60_000
"""Shorter than any silence that a rule minds."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        series: how many.
        rules: rules of the catalogue.
        changed_ratio: conditions that changed, per reading.
        readings_per_s_per_core: readings per second of processor time.
    """

    series: int
    rules: int
    changed_ratio: float
    readings_per_s_per_core: float


class Site:
    """So many series, and of each its value when all is well and, where a rule watches for a word, when it is not."""

    def __init__(self, count: int, rules: Sequence[Rule]) -> None:
        self.devices: list[BenchDevice] = []
        self.series: list[SeriesInfo] = []
        well: list[tuple[float, float]] = []
        bad: dict[int, float] = {}
        failing = _failing_words(rules)
        for branch_id in branch_ids():
            for device in devices_of(branch_id):
                self.devices.append(device)
                for found in itertools.islice(series_of(device), count - len(self.series)):
                    number = len(self.series)
                    self.series.append(SeriesInfo(number, device.device_id, device.kind, found.path, found.signal))
                    well.append((found.value(0), found.value(1)))
                    word = _word_that_matters(failing, device.kind, found.path)
                    ordinal = None if word is None else found.signal.ordinal(word)
                    if ordinal is not None:
                        bad[number] = float(ordinal)
            if len(self.series) >= count:
                break
        self.well: Float64s = np.array(well)
        self.can_fail: npt.NDArray[np.int64] = np.array(sorted(bad), np.int64)
        self.bad: Float64s = np.array([bad[number] for number in sorted(bad)])


def _failing_words(rules: Sequence[Rule]) -> list[tuple[tuple[str, ...], PathPattern, str]]:
    return [
        (rule.kinds, PathPattern(clause.state), clause.words[0])
        for rule in rules
        for clause in rule.when
        if isinstance(clause, StateClause)
    ]


def _word_that_matters(failing: Sequence[tuple[tuple[str, ...], PathPattern, str]], kind: str, path: str) -> str | None:
    return next((word for kinds, pattern, word in failing if kind in kinds and pattern.part_of(path) is not None), None)


def _rounds(site: Site, rng: np.random.Generator) -> Iterator[list[ReadingBatch]]:
    """One reading of every series a round, in shuffled order, cut into batches."""
    count = len(site.series)
    failed = np.zeros(len(site.can_fail), np.bool_)
    for step in itertools.count():
        value = site.well[:, step % 2].copy()
        if step:
            turned = rng.choice(len(site.can_fail), max(1, round(count * CHANGED_RATIO)), replace=False)
            failed[turned] ^= True
        value[site.can_fail[failed]] = site.bad[failed]
        order = rng.permutation(count).astype(np.int32)
        time_ms = _BEGIN_MS + step * _ROUND_MS + np.arange(count) * _ROUND_MS // count
        yield [
            ReadingBatch(part, time_ms[low : low + len(part)], value[part], np.ones(len(part), np.bool_))
            for low in range(0, count, READINGS_A_BATCH)
            for part in [order[low : low + READINGS_A_BATCH]]
        ]


def measure(series: int, seconds: float, seed: int = 1) -> Result:
    """Run for so many seconds of evaluation, at least one round.

    Args:
        series: how many, at least enough for one branch.
        seconds: processor time to measure.
        seed: same seed, same readings.
    """
    rules = load_rules()
    site = Site(series, rules)
    engine = Engine(rules, HOURS)
    engine.set_devices(site.devices, _BEGIN_MS)
    rounds = _rounds(site, np.random.default_rng(seed))
    for batch in next(rounds):
        engine.take(batch, site.series)
    engine.dirty.clear()
    taken = changed = 0
    spent_s = 0.0
    while spent_s < seconds or not taken:
        for batch in next(rounds):
            began = time.process_time()
            engine.take(batch, site.series)
            spent_s += time.process_time() - began
            taken += len(batch)
            changed += len(engine.dirty)
            engine.dirty.clear()
    return Result(len(site.series), len(rules), round(changed / taken, 6), round(taken / max(spent_s, 1e-9)))


@click.command()
@click.option("--series", default=200_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(min=0.0))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(series: int, seconds: float, as_json: bool) -> None:
    """Measure how many readings a second the rules evaluate on one core."""
    result = measure(series, seconds)
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>24} {value}")


if __name__ == "__main__":
    main()
