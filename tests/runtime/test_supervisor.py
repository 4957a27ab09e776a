"""Start and stop of a process's services."""

import asyncio
from dataclasses import dataclass, field

import pytest

from runtime.supervisor import Backoff, Restart, Supervisor, retry_forever


@dataclass
class Probe:
    name: str
    seen: list[str]
    fails: bool = False
    refuses_start: bool = False
    hangs: bool = False
    starts_for_ever: bool = False
    begin: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        if self.starts_for_ever:
            await asyncio.Event().wait()
        if self.refuses_start:
            raise RuntimeError(f"{self.name} cannot start")
        self.seen.append(f"start {self.name}")

    async def run(self) -> None:
        if self.fails:
            raise RuntimeError(f"{self.name} broke")
        await asyncio.Event().wait()

    async def stop(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.seen.append(f"stop {self.name}")


async def test_services_start_in_order_and_stop_in_the_opposite_order() -> None:
    seen: list[str] = []
    supervisor = Supervisor()
    for name in ("consumer", "producer"):
        supervisor.add(Probe(name, seen))
    await supervisor.run(supervisor.request_stop)
    assert seen == ["start consumer", "start producer", "stop producer", "stop consumer"]


async def test_a_service_that_fails_stops_all_in_order_and_is_reported() -> None:
    seen: list[str] = []
    supervisor = Supervisor()
    supervisor.add(Probe("a", seen))
    supervisor.add(Probe("b", seen, fails=True))
    with pytest.raises(BaseExceptionGroup) as group:
        await supervisor.run()
    assert [str(error) for error in group.value.exceptions] == ["b broke"]
    assert seen == ["start a", "start b", "stop b", "stop a"]


async def test_a_service_that_cannot_start_stops_those_before_it() -> None:
    seen: list[str] = []
    supervisor = Supervisor()
    supervisor.add(Probe("a", seen))
    supervisor.add(Probe("b", seen, refuses_start=True))
    with pytest.raises(RuntimeError, match="b cannot start"):
        await supervisor.run()
    assert seen == ["start a", "stop a"]


async def test_a_stop_asked_for_while_a_service_starts_breaks_the_start_off() -> None:
    seen: list[str] = []
    supervisor = Supervisor()
    supervisor.add(Probe("a", seen))
    supervisor.add(Probe("b", seen, starts_for_ever=True))
    supervisor.add(Probe("c", seen))
    asyncio.get_running_loop().call_later(0.05, supervisor.request_stop)
    async with asyncio.timeout(5):
        await supervisor.run(lambda: seen.append("started"))
    assert seen == ["start a", "stop b", "stop a"]


async def test_a_service_that_fails_while_another_starts_ends_the_wait() -> None:
    seen: list[str] = []
    supervisor = Supervisor()
    supervisor.add(Probe("a", seen, fails=True))
    supervisor.add(Probe("b", seen, starts_for_ever=True))
    with pytest.raises(BaseExceptionGroup) as group:
        async with asyncio.timeout(5):
            await supervisor.run()
    assert [str(error) for error in group.value.exceptions] == ["a broke"]
    assert seen == ["start a", "stop b", "stop a"]


async def test_a_service_that_hangs_at_its_stop_does_not_keep_the_others() -> None:
    seen: list[str] = []
    supervisor = Supervisor(stop_timeout_s=0.1)
    supervisor.add(Probe("a", seen))
    supervisor.add(Probe("b", seen, hangs=True))
    with pytest.raises(BaseExceptionGroup):
        await supervisor.run(supervisor.request_stop)
    assert seen[-1] == "stop a"


def test_waits_grow_up_to_their_bound() -> None:
    backoff = Backoff(first_s=0.5, most_s=3)
    assert [backoff.delay_s(failures) for failures in range(1, 6)] == [0.5, 1, 2, 3, 3]


async def test_what_fails_is_tried_again_with_growing_waits() -> None:
    tries = 0
    waits: list[tuple[Restart, float]] = []
    enough = asyncio.Event()

    async def attempt() -> None:
        nonlocal tries
        tries += 1
        if tries == 4:
            enough.set()
        if tries != 2:
            raise RuntimeError("no")

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(
            retry_forever("test", attempt, Backoff(0.01, 1), on_restart=lambda why, wait: waits.append((why, wait)))
        )
        await enough.wait()
        task.cancel()
    assert waits[:3] == [(Restart.RAISED, 0.01), (Restart.RETURNED, 0.02), (Restart.RAISED, 0.04)]
