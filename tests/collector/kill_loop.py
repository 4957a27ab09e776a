"""The kill loop: a collector that is killed and restarted again and again under load, and the count at the end.

It stands on a real broker, gateways that publish on meanwhile and a collector in a process of its own, killed with SIGKILL
at a random moment of its life or at a step of its work. The time-series store is whichever the settings name.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from collector.store import MINUTE_MS, TimeSeriesStore
from collector.stores import make_store
from runtime.clock import SystemClock
from runtime.process import die_with_parent
from runtime.settings import BrokerSettings, load_settings
from tests.collector.collector_process import CollectorProcessSettings, Order, Step, open_database
from tests.collector.tireless_gateways import DAY_MS, EVENT, TirelessGateway, TirelessGateways

Meddle = Callable[[random.Random, int], Awaitable[None]]
"""Told of each kill, with its number from 1: what else is to go wrong before the collector begins again."""

WAIT_S: Final = 120.0
"""Far more than anything here takes; a loaded machine is slow."""

LONGEST_LIFE_S: Final = 1.2
"""After which a life is ended, wherever it is."""

_ROOT: Final = Path(__file__).parents[2]
_LATER_MS: Final = 2**53
_MOST: Final = 10_000_000
_STEPS: Final[dict[Step | None, float]] = {
    None: 0.0, Step.OPENING: 0.1, Step.APPENDING: 0.01, Step.APPENDED: 0.0, Step.MAINTAINING: 0.1,
}  # fmt: skip
"""Where lives end, each as often as the others, and how long after the step has begun at most, in seconds."""

_CALLS: Final = 6
"""Of a step within a life, the last of which is its end, at most."""

_FAST: Final[dict[str, Any]] = {
    "batch_age_ms": 10, "review_s": 0.2, "hole_grace_s": 4, "hole_retry_first_s": 1, "hole_retry_most_s": 2,
    "hole_tries": 60,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """What was said, held against what the store holds by its own queries.

    Attributes:
        packs: packs that were sent, each counted once.
        readings: readings and events in them.
        lost: how many of them the store does not hold.
        doubled: how many it holds twice.
        resent: packs that were asked for and sent again.
        kills: of collectors, by the step at which they were.
    """

    packs: int
    readings: int
    lost: int
    doubled: int
    resent: int
    kills: Counter[str]


@dataclass
class _Life:
    """What is known of the collector's present or last life."""

    pid: int | None = None
    ended: int | None = None
    started: bool = False
    committed: dict[str, int] = field(default_factory=dict)
    given_up: int = 0


class KillLoop:
    """One trial.

    Args:
        directory: of the collector's process.
        broker_port: where the broker is.
        collector: section ``collector`` of its settings: which store, how it is to work.
        branches: gateways.
        rate: readings a second of all of them.
        seed: same seed, same deaths; time itself is not repeated.
        store_may_be_away: the store is a server that somebody kills, too; a collector that does not start for want of it is
            started again.
        deaf: the gateways send nothing again, so that all depends on what the broker was told when.
        settings: more of the process's settings.
    """

    def __init__(
        self,
        directory: Path,
        broker_port: int,
        collector: dict[str, Any],
        *,
        branches: int = 40,
        rate: float = 2_500,
        seed: int | None = None,
        store_may_be_away: bool = False,
        deaf: bool = False,
        **settings: Any,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.seed = int(os.environ.get("KILL_LOOP_SEED", random.getrandbits(32))) if seed is None else seed
        self.kills: Counter[str] = Counter()
        self.gateways = TirelessGateways(BrokerSettings(port=broker_port), branches, rate, deaf=deaf)
        self._chance = random.Random(self.seed)
        self._store_may_be_away = store_may_be_away
        self._deaf = deaf
        self._file = directory / "collector.json"
        self._log = directory / "collector.log"
        content = {
            "data_dir": str(directory / "data"),
            "broker": {"port": broker_port},
            "log": {"level": "warning"},
            "collector": {**_FAST, **collector},
            **settings,
        }
        self._file.write_text(json.dumps(content))
        self.settings = load_settings(CollectorProcessSettings, self._file)
        self._process: asyncio.subprocess.Process | None = None
        self._life = _Life()
        self._steps: list[Step | None] = []

    async def run(self, kills: int, meddle: Meddle | None = None) -> Tally:
        """Kill the collector so often under load, then let it take in all there is, and count."""
        print(f"kill loop: seed {self.seed}; KILL_LOOP_SEED={self.seed} repeats it; log {self._log}")
        async with self.gateways.connected():
            async with self._processes():
                if self._deaf:
                    await self._subscribe()
                async with self.gateways.publishing():
                    for number in range(1, kills + 1):
                        await self._live_and_die()
                        if meddle is not None:
                            await meddle(self._chance, number)
                    await self._begin_to_stay()
                await self.gateways.publish_one_each()
                await self._until("every pack is committed", self._is_whole)
                assert self._life.given_up == 0, "packs were given up"
                await self._end()
            return await self._count()

    # -- lives -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _processes(self) -> AsyncIterator[None]:
        with self._log.open("ab") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.collector.collector_process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=_ROOT,
                preexec_fn=die_with_parent,
            )
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(process))
                try:
                    yield
                finally:
                    listening.cancel()
        finally:
            process.kill()  # and the kernel ends the life under way with it
            await process.wait()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            news = json.loads(line)
            life = self._life
            life.pid = news.get("pid", life.pid)
            life.ended = news.get("ended", life.ended)
            life.started = news.get("started", life.started)
            life.committed = news.get("committed", life.committed)
            life.given_up = news.get("given_up", life.given_up)

    async def _begin(self, order: Order) -> int:
        """Begin a life; its process id."""
        life = self._life = _Life()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(order.model_dump_json().encode() + b"\n")
        await self._until("the collector has a process", lambda: life.pid is not None)
        assert life.pid is not None
        return life.pid

    async def _live_and_die(self) -> None:
        """One life that ends in a kill."""
        chance = self._chance
        step = self._deal_step()
        order = Order(
            settings=self._file,
            step=step,
            calls=1 if step is Step.OPENING else chance.randint(1, _CALLS),
            after_s=chance.uniform(0, _STEPS[step]),
        )
        life_s = LONGEST_LIFE_S if step is not None else chance.uniform(0, LONGEST_LIFE_S)
        while True:
            pid = await self._begin(order)
            life, where = self._life, str(step)
            try:
                async with asyncio.timeout(life_s):
                    await self._until("it is dead", lambda: self._life.ended is not None)
            except TimeoutError:
                where = "running" if life.started else "starting"
                with suppress(ProcessLookupError):  # it came to its step after all
                    os.kill(pid, signal.SIGKILL)
            await self._until("it is dead", lambda: self._life.ended is not None)
            if life.ended == -signal.SIGKILL:
                self.kills[where] += 1
                return
            self._refuse_failure()

    def _deal_step(self) -> Step | None:
        """The next step of a shuffled pack of them, so that a few kills come to each."""
        if not self._steps:
            self._steps = self._chance.sample(list(_STEPS), len(_STEPS))
        return self._steps.pop()

    async def _subscribe(self) -> None:
        """A life without load: a broker keeps nothing for a session that never was."""
        await self._begin_to_stay()
        await self._end()

    async def _begin_to_stay(self) -> None:
        while True:
            await self._begin(Order(settings=self._file))
            await self._until("the collector runs", lambda: self._life.started or self._life.ended is not None)
            if self._life.ended is None:
                return
            self._refuse_failure()

    def _refuse_failure(self) -> None:
        only_waited = self._store_may_be_away and not self._life.started
        assert only_waited, f"the collector ended by itself with {self._life.ended}:\n{self._last_words()}"

    async def _end(self) -> None:
        """Let the collector stop in order."""
        assert self._life.pid is not None
        os.kill(self._life.pid, signal.SIGTERM)
        await self._until("the collector has stopped", lambda: self._life.ended is not None)
        assert self._life.ended == 0, f"the collector stopped with {self._life.ended}:\n{self._last_words()}"

    def _is_whole(self) -> bool:
        return all(
            self._life.committed.get(gateway.branch_id) == len(gateway.packs) for gateway in self.gateways.gateways
        )

    async def _until(self, what: str, true: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + WAIT_S
        while not true():
            if loop.time() > end:
                raise AssertionError(f"waited {WAIT_S:g} s in vain until {what}:\n{self._last_words()}")
            await asyncio.sleep(0.01)

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])

    # -- the count ---------------------------------------------------------------------------------------------------

    async def _count(self) -> Tally:
        """Count what is stored by queries of the closed store, and hold all that was said of each device against it."""
        database = open_database(self.settings)
        store = make_store(self.settings.collector, self.settings.data_dir, database, SystemClock())
        try:
            await store.open()
            assert list(store.damages()) == [], "a kill was taken for damage"
            audit = await store.audit()
            await self._compare(store)
        finally:
            await store.close()
            await database.close()
        said = self.gateways.readings
        return Tally(
            self.gateways.packs, said, said - audit.stored, audit.doubled, self.gateways.resent, self.kills
        )  # fmt: skip

    async def _compare(self, store: TimeSeriesStore) -> None:
        rows = await store.load_series()
        assert [row.series for row in rows] == list(range(len(rows)))
        numbers = {(row.device_id, row.path): row.series for row in rows}
        for gateway in self.gateways.gateways:
            await _compare_one(store, gateway, {path: numbers[gateway.device_id, path] for path in gateway.numbers})
            number = numbers[gateway.device_id, EVENT]
            events = await store.events([number], 0, _LATER_MS, _MOST)
            assert [(event.observed_at_ms, event.text) for event in events] == sorted(gateway.texts)


async def _compare_one(store: TimeSeriesStore, gateway: TirelessGateway, numbers: dict[str, int]) -> None:
    found = await store.ranges(list(numbers.values()), 0, _LATER_MS, _MOST)
    first_ms = min(said[0] for path in numbers for said in gateway.numbers[path]) - DAY_MS
    last_ms = max(said[0] for path in numbers for said in gateway.numbers[path]) + DAY_MS
    buckets = await store.buckets(list(numbers.values()), first_ms, last_ms, MINUTE_MS)
    for path, number in numbers.items():
        said = sorted(gateway.numbers[path])
        stored = found[number]
        pairs = list(zip(stored.observed_at_ms.tolist(), stored.value.tolist(), strict=True))
        assert pairs == said, f"{gateway.device_id} {path}: {len(said)} said, {len(pairs)} stored"
        assert int(buckets[number].count.sum()) == len(said), f"{gateway.device_id} {path}: sums by time"
        assert float(buckets[number].maximum.max()) == max(value for _, value in said)
