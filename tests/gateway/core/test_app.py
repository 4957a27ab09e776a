"""A whole gateway with a driver made for the test, against a real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.devices import GATEWAY
from contracts.errors import (
    ConfigurationError,
    DependencyUnavailable,
    DeviceMisbehaved,
    DeviceRefused,
    DeviceUnreachable,
)
from contracts.gateway_messages import Inventory, parse_inventory
from contracts.signals import DeviceKind, Presence
from contracts.topics import Channel
from gateway.app import GatewayApp
from gateway.driver import Driver, Identity, Observation, Sink
from gateway.drivers.registry import DRIVERS, DriverType
from gateway.metrics import GatewayMetrics
from gateway.outbox import statistics
from gateway.settings import DeviceSettings, GatewaySettings, MetricsSettings, RetrySettings, UplinkSettings
from runtime.clock import Clock, SystemClock
from runtime.metrics import render
from runtime.settings import BrokerSettings
from tests.conftest import free_port
from tests.gateway.core.wire import BRANCH, Listener

CONNECTION = {"driver": "xfs", "host": "127.0.0.1"}

Step = Callable[[Sink], Awaitable[None]]


@dataclass
class TinyDriver:
    """Performs one step a run; a step that returns keeps the run waiting, one that raises ends it."""

    steps: list[Step]
    protocol: str = "xfs"
    runs: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, sink: Sink) -> None:
        self.runs += 1
        if self.steps:
            await self.steps.pop(0)(sink)
        self.idle.set()
        await asyncio.get_running_loop().create_future()


@dataclass
class Branch:
    """A branch under test: its devices' drivers, and its gateway started and stopped in order."""

    broker: BrokerSettings
    data_dir: Path
    devices: dict[str, TinyDriver] = field(default_factory=dict)
    metrics: GatewayMetrics = field(default_factory=lambda: GatewayMetrics(CollectorRegistry()))
    metrics_port: int | None = None
    answers: bool = False
    waiting: Iterator[TinyDriver] = field(default_factory=lambda: iter(()))

    def device(self, local_id: str, *steps: Step) -> TinyDriver:
        self.devices[local_id] = TinyDriver(list(steps))
        return self.devices[local_id]

    def settings(self) -> GatewaySettings:
        return GatewaySettings(
            branch_id=BRANCH,
            data_dir=self.data_dir,
            broker=self.broker,
            devices=tuple(
                DeviceSettings.model_validate(
                    {"id": local_id, "kind": "atm", "name": "lobby", "model": "old", "connection": CONNECTION}
                )
                for local_id in self.devices
            ),
            uplink=UplinkSettings(flush_s=0.05),
            retry=RetrySettings(first_s=0.01, most_s=0.02),
            metrics=None if self.metrics_port is None else MetricsSettings(port=self.metrics_port),
            health_s=0.1,
        )

    def app(self) -> GatewayApp:
        self.waiting = iter(self.devices.values())

        def create(_settings: object, _kind: DeviceKind, _clock: Clock) -> Driver:
            return next(self.waiting)

        drivers = {"xfs": DriverType(DRIVERS["xfs"].settings, create, frozenset({"atm"}), answers=self.answers)}
        return GatewayApp(self.settings(), SystemClock(), self.metrics, drivers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[GatewayApp]:
        app, started, stop = self.app(), asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(app.run_until(stop, started.set))
        try:
            async with asyncio.timeout(10):
                await started.wait()
            yield app
        finally:
            stop.set()
            await asyncio.wait_for(task, 20)


@pytest.fixture
def branch(broker: BrokerSettings, tmp_path: Path) -> Branch:
    return Branch(broker, tmp_path / "data")


def saying(*observations: tuple[str, float | str]) -> Step:
    async def step(sink: Sink) -> None:
        await sink.observe([Observation(path, value) for path, value in observations])

    return step


def failing(error: Exception, *observations: tuple[str, float | str]) -> Step:
    async def step(sink: Sink) -> None:
        if observations:
            await saying(*observations)(sink)
        raise error

    return step


def series(listener: Listener, name: str) -> list[float | str]:
    """Values of a series in the order of their times, without repeats: heartbeats and snapshots say a value again."""
    found = {
        record.time_s: record.value
        for pack in listener.packs()
        for record in pack.records
        if record.name == f"{BRANCH}/{name}"
    }
    values = [value for _, value in sorted(found.items()) if isinstance(value, (float, str))]
    return [value for index, value in enumerate(values) if index == 0 or value != values[index - 1]]


async def test_what_a_driver_says_arrives_once_and_is_counted_once(branch: Branch) -> None:
    branch.device("atm-01", saying(("link/state", "up"), ("cdm/dispenser", "ok"), ("cdm/unit1/count", 1200)))
    async with Listener(branch.broker) as listener:
        async with branch.running():
            await listener.until(lambda: series(listener, "atm-01/cdm/dispenser") != [])
            await listener.until(lambda: series(listener, "gateway/driver/xfs/state")[-1:] == ["running"])
            await listener.until(lambda: series(listener, "gateway/devices/reachable")[-1:] == [1])
        figures = statistics(branch.settings().outbox_path)
        await listener.until(lambda: len(set(listener.seqs())) == figures.last_seq)
        assert series(listener, "atm-01/cdm/unit1/count") == [1200]
        events = [str(text).split()[0] for text in series(listener, "gateway/gateway/event")]
        assert events == ["start", "stop"]
        arrived = [(record.name, record.time_s) for pack in listener.packs() for record in pack.records]
        assert len(arrived) == len(set(arrived)) == figures.produced
        assert (figures.pending_readings, figures.starts) == (0, 1)
        assert sorted(listener.seqs()) == list(range(1, figures.last_seq + 1))


async def test_every_signal_a_gateway_always_has_is_reported(branch: Branch) -> None:
    branch.device("atm-01", saying(("link/state", "up")))
    by_collector = {"uplink/state", "uplink/missing_packs"}
    by_time_source = {"clock/skew"}  # only where the computer's clock is kept by one
    expected = [
        signal
        for signal in GATEWAY.signals
        if signal.presence is Presence.ALWAYS and signal.path not in by_collector | by_time_source
    ]

    def missing() -> list[str]:
        reported = {record.name.split("/", 2)[2] for pack in listener.packs() for record in pack.records}
        rows = {id(GATEWAY.signal(path)) for path in reported}
        return [signal.path for signal in expected if id(signal) not in rows]

    async with Listener(branch.broker) as listener, branch.running():
        await listener.until(lambda: not missing())


async def test_a_device_out_of_reach_is_reported_down_and_its_driver_not_as_failed(branch: Branch) -> None:
    unreachable = [failing(DeviceUnreachable("no answer from 10.0.0.7 within 5 s")) for _ in range(6)]
    driver = branch.device("atm-01", *unreachable, saying(("link/state", "up")))
    async with Listener(branch.broker) as listener, branch.running():
        await listener.until(lambda: series(listener, "atm-01/link/state") == ["down", "up"])
        await listener.until(lambda: series(listener, "gateway/driver/xfs/state")[-1] == "running")
        assert "failed" not in series(listener, "gateway/driver/xfs/state")
        assert set(series(listener, "gateway/driver/xfs/restarts")) == {0}
        assert driver.runs == 7


@pytest.mark.parametrize("error", [DeviceRefused("401"), DeviceMisbehaved("not JSON"), RuntimeError("a defect")])
async def test_a_driver_that_ends_again_and_again_is_failed_until_it_speaks(branch: Branch, error: Exception) -> None:
    driver = branch.device("atm-01", *[failing(error) for _ in range(4)], saying(("link/state", "up")))
    async with Listener(branch.broker) as listener, branch.running():
        states = "gateway/driver/xfs/state"
        await listener.until(lambda: series(listener, states)[-1:] == ["running"])
        assert series(listener, states) == ["starting", "backoff", "failed", "running"]
        assert series(listener, "atm-01/link/state") == ["up"]
        assert driver.runs == 5


async def test_one_failing_device_does_not_disturb_the_other(branch: Branch) -> None:
    branch.device("atm-01", *[failing(DeviceMisbehaved("not JSON")) for _ in range(50)])
    branch.device("atm-02", saying(("link/state", "up"), ("cdm/dispenser", "ok")))
    async with Listener(branch.broker) as listener, branch.running():
        await listener.until(lambda: series(listener, "gateway/driver/xfs/state")[-1:] == ["failed"])
        await listener.until(lambda: series(listener, "atm-02/cdm/dispenser") != [])
        await listener.until(lambda: series(listener, "gateway/devices/reachable")[-1:] == [1])


async def test_refused_inputs_are_counted_and_kept_for_inspection(branch: Branch) -> None:
    async def step(sink: Sink) -> None:
        sink.refuse(b"\x00garbage" * 1000, DeviceMisbehaved("frame: CRC 1234, expected 5678"))
        await sink.observe([Observation("cdm/nonsense", 1), Observation("link/state", "up")])

    branch.device("atm-01", step)
    async with Listener(branch.broker) as listener, branch.running() as app:
        await listener.until(lambda: 2 in series(listener, "gateway/driver/xfs/refused"))
        async with asyncio.timeout(10):
            while len(kept := await app.outbox.refused(10)) < 2:
                await asyncio.sleep(0.05)
        assert [(item.code, item.device_id) for item in kept] == [
            ("unknown_signal", f"{BRANCH}/atm-01"),
            ("device_misbehaved", f"{BRANCH}/atm-01"),
        ]
        assert kept[1].raw == (b"\x00garbage" * 1000)[:4096]
        assert "branchwatch_gateway_refused_total" in render(branch.metrics.registry).decode()


async def test_identity_goes_to_the_inventory_and_a_swap_over_a_restart_is_an_event(branch: Branch) -> None:
    def inventories() -> list[Inventory]:
        return [
            parse_inventory(item.payload, BRANCH) for item in listener.messages if item.channel is Channel.INVENTORY
        ]

    def told(serial: str) -> bool:
        return any(inventory.devices[1].serial == serial for inventory in inventories())

    def identifying(identity: Identity) -> Step:
        async def step(sink: Sink) -> None:
            await greeted.wait()
            await sink.identify(identity)

        return step

    greeted = asyncio.Event()

    async with Listener(branch.broker) as listener:
        branch.device("atm-01", identifying(Identity(model="X5", serial="17")))
        async with branch.running():
            await listener.until(lambda: told(""))
            greeted.set()
            await listener.until(lambda: told("17"))
        branch.device("atm-01", identifying(Identity(serial="18")))
        async with branch.running():
            await listener.until(lambda: told("18"))
            await listener.until(lambda: series(listener, "atm-01/link/identity") != [])
        first, last = inventories()[0].devices[1], inventories()[-1].devices[1]
        assert (first.model, first.serial) == ("old", "")
        assert (last.name, last.model, last.serial, last.driver) == ("lobby", "X5", "18", "xfs")
        assert series(listener, "atm-01/link/identity") == ["serial: 17 -> 18"]


async def test_what_a_device_tells_once_waits_in_memory_while_the_outbox_cannot_be_written(branch: Branch) -> None:
    broken, told, mended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def step(sink: Sink) -> None:
        await sink.observe([Observation("link/state", "up"), Observation("cdm/error", "before")])
        await broken.wait()
        for number in range(50):
            await sink.observe([Observation("cdm/error", f"while {number}")], {"last": str(number)})
        told.set()
        await mended.wait()
        await sink.observe([Observation("cdm/error", "after")])
        assert dict(await sink.recall()) == {"last": "49"}

    driver = branch.device("atm-01", step)
    async with Listener(branch.broker) as listener, branch.running() as app:
        await listener.until(lambda: series(listener, "atm-01/cdm/error") == ["before"])
        connection = app.outbox._file._sql.connection
        await app.outbox._submit(lambda: connection.execute("PRAGMA query_only = ON"))
        broken.set()
        async with asyncio.timeout(10):
            await told.wait()
        await app.outbox._submit(lambda: connection.execute("PRAGMA query_only = OFF"))
        mended.set()
        expected = ["before", *(f"while {number}" for number in range(50)), "after"]
        await listener.until(lambda: series(listener, "atm-01/cdm/error") == expected)
        await asyncio.wait_for(driver.idle.wait(), 10)
        assert driver.runs == 1


async def test_new_settings_begin_and_end_devices_while_the_others_are_read_on(branch: Branch) -> None:
    stays = branch.device("atm-01", saying(("link/state", "up"), ("cdm/dispenser", "ok")))
    goes = branch.device("atm-02", saying(("link/state", "up"), ("idc/insertions", 7)))
    async with Listener(branch.broker) as listener, branch.running() as app:
        await listener.until(lambda: series(listener, "atm-02/idc/insertions") != [])
        kept, before = branch.devices["atm-01"], branch.settings()
        del branch.devices["atm-02"]
        comes = branch.device("atm-03", saying(("link/state", "up"), ("cdm/dispenser", "stop")))
        branch.devices = {"atm-03": comes}
        branch.waiting = iter([comes])
        devices = (before.devices[0], branch.settings().devices[0])
        wanted = before.model_copy(
            update={"devices": devices, "uplink": before.uplink.model_copy(update={"flush_s": 0.1})}
        )
        await app.reload(wanted)
        await listener.until(lambda: series(listener, "atm-03/cdm/dispenser") == ["stop"])
        await listener.until(lambda: "settings reloaded" in str(series(listener, "gateway/gateway/event")))
        inventories = [parse_inventory(m.payload, BRANCH) for m in listener.messages if m.channel is Channel.INVENTORY]
        assert [device.id for device in inventories[-1].devices] == ["gateway", "atm-01", "atm-03"]
        assert (stays.runs, goes.runs, comes.runs, kept) == (1, 1, 1, stays)
        await listener.until(lambda: series(listener, "gateway/devices/expected") == [2])
    figures = statistics(before.outbox_path)
    assert (figures.pending_readings, figures.starts) == (0, 1)


async def test_a_reload_while_the_disk_is_full_changes_nothing_and_can_be_made_again(branch: Branch) -> None:
    first = branch.device("atm-01", saying(("link/state", "up"), ("idc/insertions", 1)))
    second = branch.device("atm-02", saying(("link/state", "up"), ("idc/insertions", 1)))
    async with branch.running() as app:
        async with asyncio.timeout(10):
            await first.idle.wait()
            await second.idle.wait()
        for supervised in app._composed.supervision._drivers():  # growth held back, so that the end has to store it
            await supervised.connection.observe([Observation("idc/insertions", 5)])
        before = app.settings
        none_left = before.model_copy(update={"devices": ()})
        await app.outbox._submit(lambda: app.outbox._file._sql.connection.execute("PRAGMA query_only = ON"))
        for _ in range(2):
            with pytest.raises(DependencyUnavailable):
                await app.reload(none_left)
        assert app.settings is before
        assert len(app._composed.supervision.devices) == 2
        await app.outbox._submit(lambda: app.outbox._file._sql.connection.execute("PRAGMA query_only = OFF"))
        await app.reload(none_left)
        assert app._composed.supervision.devices == []
        assert [device.id for device in app.inventory().devices] == ["gateway"]


async def test_a_certificate_that_cannot_be_used_leaves_the_uplink_alone(branch: Branch, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("no certificate")
    driver = branch.device("atm-01", saying(("link/state", "up")))
    async with Listener(branch.broker) as listener, branch.running() as app:
        await asyncio.wait_for(driver.idle.wait(), 10)
        wanted = app.settings.model_copy(
            update={"broker": app.settings.broker.model_copy(update={"tls_ca": authority}), "health_s": 0.2}
        )
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"ca\.pem"):
                await app.reload(wanted)
        assert app.settings.health_s == 0.1
        await app._composed.own.observe([Observation("gateway/event", "still here")])
        await listener.until(lambda: "still here" in series(listener, "gateway/gateway/event"))


async def test_a_change_that_needs_a_restart_changes_nothing(branch: Branch) -> None:
    branch.device("atm-01", saying(("link/state", "up")))
    async with branch.running() as app:
        wanted = app.settings.model_copy(update={"branch_id": "BR0007", "devices": ()})
        with pytest.raises(ConfigurationError, match="branch_id changed"):
            await app.reload(wanted)
        assert app.settings.branch_id == BRANCH
        assert [device.id for device in app.inventory().devices] == ["gateway", "atm-01"]


async def test_an_outbox_that_cannot_be_written_is_told_to_a_driver_whose_device_waits_for_an_answer(
    branch: Branch,
) -> None:
    branch.answers = True
    refusals: list[str] = []
    broken, mended = asyncio.Event(), asyncio.Event()

    async def step(sink: Sink) -> None:
        await sink.observe([Observation("link/state", "up"), Observation("cdm/dispenser", "ok")])
        await broken.wait()
        try:
            await sink.observe([Observation("cdm/dispenser", "stop")])
        except DependencyUnavailable as error:
            refusals.append(str(error))
        await mended.wait()
        await sink.observe([Observation("cdm/dispenser", "stop")])

    driver = branch.device("atm-01", step)
    async with Listener(branch.broker) as listener, branch.running() as app:
        await listener.until(lambda: series(listener, "atm-01/cdm/dispenser") != [])
        connection = app.outbox._file._sql.connection
        await app.outbox._submit(lambda: connection.execute("PRAGMA query_only = ON"))
        broken.set()
        async with asyncio.timeout(10):
            while not refusals:
                await asyncio.sleep(0.01)
        assert "readonly database" in refusals[0]
        await app.outbox._submit(lambda: connection.execute("PRAGMA query_only = OFF"))
        mended.set()
        await listener.until(lambda: series(listener, "atm-01/cdm/dispenser") == ["ok", "stop"])
        assert driver.runs == 1
        metrics = render(branch.metrics.registry).decode()
        assert f'branchwatch_gateway_outbox_failures_total{{branch="{BRANCH}"}}' in metrics


async def test_two_gateways_live_in_one_process_and_metrics_are_served_by_branch(branch: Branch) -> None:
    import aiohttp

    branch.metrics_port = free_port()
    branch.device("atm-01", saying(("link/state", "up")))
    other_settings = branch.settings().model_copy(update={"branch_id": "BR0007", "devices": (), "metrics": None})
    async with Listener(branch.broker) as listener, branch.running():
        other = GatewayApp(other_settings, SystemClock(), branch.metrics)
        stop = asyncio.Event()
        task = asyncio.create_task(other.run_until(stop))
        await listener.until(
            lambda: {pack.records[0].name.split("/")[0] for pack in listener.packs()} >= {BRANCH, "BR0007"}
        )
        stop.set()
        await asyncio.wait_for(task, 15)
        url = f"http://127.0.0.1:{branch.metrics_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            text = await answer.text()
        for name in (BRANCH, "BR0007"):
            assert f'branchwatch_gateway_readings_total{{branch="{name}"}}' in text


async def test_a_port_that_is_taken_refuses_the_start_and_leaves_nothing_open(branch: Branch) -> None:
    branch.metrics_port = branch.broker.port
    with pytest.raises(ConfigurationError, match=f"metrics: cannot listen on 127.0.0.1:{branch.broker.port}"):
        await branch.app().run_until(asyncio.Event())


async def test_a_certificate_file_that_cannot_be_read_refuses_the_start(branch: Branch) -> None:
    connection = {**CONNECTION, "tls_ca": "nowhere.pem"}
    atm = DeviceSettings.model_validate({"id": "atm-01", "kind": "atm", "connection": connection})
    settings = branch.settings().model_copy(update={"devices": (atm,)})
    async with asyncio.timeout(10):
        with pytest.raises(ConfigurationError, match=r"device 'atm-01': tls_ca nowhere\.pem: cannot be used"):
            await GatewayApp(settings, SystemClock(), branch.metrics).run_until(asyncio.Event())


async def test_an_outbox_of_another_branch_refuses_the_start(branch: Branch) -> None:
    async with branch.running():
        pass
    path = branch.settings().outbox_path
    moved = path.parents[1] / "BR0007" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    settings = branch.settings().model_copy(update={"branch_id": "BR0007"})
    app = GatewayApp(settings, SystemClock(), GatewayMetrics(CollectorRegistry()), DRIVERS)
    with pytest.raises(ConfigurationError, match="belongs to branch BR0421"):
        await app.run_until(asyncio.Event())
