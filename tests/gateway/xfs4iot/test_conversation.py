"""The driver in conversation with a scripted machine over real WebSockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from contracts.devices import ATM
from contracts.errors import ConfigurationError, DependencyUnavailable, DeviceUnreachable
from gateway.driver import Identity, Observation
from gateway.drivers.xfs4iot import Settings, create
from gateway.drivers.xfs4iot.envelope import Command
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.xfs4iot.examples import (
    DISPENSER_CAPABILITIES,
    DISPENSER_STATUS,
    READER_CAPABILITIES,
    READER_STATUS,
    RETAIN_STORAGE,
    STORAGE,
    event,
)
from tests.gateway.xfs4iot.scripted_machine import Recorder, ScriptedMachine, ScriptedService


def dispenser() -> ScriptedService:
    return ScriptedService(
        {
            "Common.Capabilities": DISPENSER_CAPABILITIES,
            "Common.SetVersions": {},
            "Common.Status": DISPENSER_STATUS,
            "Storage.GetStorage": STORAGE,
        }
    )


def reader() -> ScriptedService:
    return ScriptedService(
        {
            "Common.Capabilities": READER_CAPABILITIES,
            "Common.Status": READER_STATUS,
            "Storage.GetStorage": RETAIN_STORAGE,
        }
    )


@pytest.fixture(params=[1, 2, 3])
async def machine(request: pytest.FixtureRequest) -> AsyncIterator[ScriptedMachine]:
    served = ScriptedMachine(free_port(), request.param)
    served.services = {"Alpha": dispenser(), "Beta": reader()}
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def modern(request: pytest.FixtureRequest) -> AsyncIterator[ScriptedMachine]:
    served = ScriptedMachine(free_port())
    served.services = {"Alpha": dispenser(), "Beta": reader()}
    await served.start()
    yield served
    await served.stop()


def settings(port: int, **changes: Any) -> Settings:
    quick: dict[str, Any] = {
        "host": "127.0.0.1",
        "ports": (port,),
        "tls": False,
        "reply_timeout_s": 2.0,
        "retry_first_s": 0.05,
        "retry_most_s": 0.2,
        "debounce_s": 0.02,
    }
    return Settings(**(quick | changes))


@asynccontextmanager
async def running(driver: Any, sink: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(driver.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, DeviceUnreachable, DependencyUnavailable):
            await task


async def test_state_storage_and_identity_are_read_in_every_major(machine: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(machine.port), ATM, SystemClock()), sink):
        await sink.until("link/state", "up")
        await sink.until("cdm/transport", "ok")
        await sink.until("cdm/unit1/count", 155)
        await sink.until("idc/retain1/count", 31)
        assert sink.last("link/services_missing") == 0
        assert sink.last("cdm/presents") == 0
        assert sink.last("idc/retained") == 0
    assert sink.identities == [Identity(maker="Sim Vendor", model="CD-9", serial="S-100", firmware="4.2")]
    assert sink.refused == []
    assert all(ATM.signal(item.path) is not None for item in sink.seen)
    versions = {item["header"]["version"].partition(".")[0] for item in machine.received if item["at"] == "Alpha"}
    assert ("1" in versions) is (machine.major == 1)


async def test_only_listed_commands_reach_the_machine(machine: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(machine.port, poll_s=0.05, storage_poll_s=0.05), ATM, SystemClock()), sink):
        await sink.until("link/state", "up")
        await machine.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        await machine.tell("Beta", "CardReader.CardActionEvent", {"to": "unitRETAIN", "from": "transport"})
        await sink.until("cdm/errors", 1)
    sent = set(machine.commands())
    assert sent <= set(Command)
    assert {"ServicePublisher.GetServices", "Common.Capabilities", "Common.Status", "Storage.GetStorage"} <= sent


async def test_a_jam_is_seen_from_its_events_at_once(machine: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(machine.port), ATM, SystemClock()), sink):
        await sink.until("cdm/transport", "ok")
        error = {"eventId": "hardware", "action": "clear", "vendorDescription": "Note jam at stacker, sensor S7"}
        await machine.tell("Alpha", "Common.ErrorEvent", error)
        await sink.until("cdm/error", "hardware/clear: Note jam at stacker, sensor S7")
        await sink.until("cdm/errors", 1)
        jammed = {**DISPENSER_STATUS, "cashManagement": {"dispenser": "stop"}}
        machine.services["Alpha"].answers["Common.Status"] = jammed
        changed = {"device": "hardwareError"} if machine.major == 1 else {"common": {"device": "hardwareError"}}
        await machine.tell("Alpha", "Common.StatusChangedEvent", changed)
        await sink.until("cdm/device", "hardwareError")
        await sink.until("cdm/dispenser", "stop")  # by reading the status again


async def test_storage_events_are_reported_and_read_again(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("cdm/unit1/replenishment", "low")
        before = modern.commands("Alpha").count("Storage.GetStorage")
        threshold = {"unit1": {"cash": {"status": {"replenishmentStatus": "empty"}}}}
        await modern.tell("Alpha", "Storage.StorageThresholdEvent", threshold)
        await sink.until("cdm/unit1/replenishment", "empty")
        await sink.until("cdm/unit1/replenishment", "low")  # the scripted storage still says so
        assert modern.commands("Alpha").count("Storage.GetStorage") == before + 1


async def test_a_cassette_that_is_no_longer_listed_is_missing_until_it_is_back(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port, poll_s=0.1), ATM, SystemClock()), sink):
        await sink.until("cdm/unit1/status", "ok")
        answers = modern.services["Alpha"].answers
        answers["Storage.GetStorage"] = {"storage": {"unit2": STORAGE["storage"]["unit2"]}}
        await modern.tell("Alpha", "Storage.StorageChangedEvent", {"unit2": {"status": "ok"}})
        await sink.until("cdm/unit1/status", "missing")
        answers["Storage.GetStorage"] = STORAGE
        await modern.tell("Alpha", "Storage.StorageChangedEvent", {"unit2": {"status": "ok"}})
        await sink.until("cdm/unit1/status", "ok")


async def test_a_burst_of_events_is_one_reading(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port, debounce_s=0.3), ATM, SystemClock()), sink):
        await sink.until("cdm/unit1/count", 155)
        before = modern.commands("Alpha").count("Common.Status")
        for index in range(50):
            await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": f"a{index}"})
        await sink.until("cdm/errors", 50)
        await sink.until("cdm/error", "hardware/a49: ")
        assert modern.commands("Alpha").count("Common.Status") <= before + 1


async def test_a_missing_service_degrades_the_link_and_keeps_the_others(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port, poll_s=0.1), ATM, SystemClock()), sink) as run:
        await sink.until("link/state", "up")
        modern.services["Beta"].is_up = False
        await modern.drop("Beta")
        await sink.until("link/state", "degraded")
        assert sink.last("link/services_missing") == 1
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "reset"})
        await sink.until("cdm/errors", 1)
        assert not run.done()
        modern.services["Beta"].is_up = True
        await sink.until("link/state", "up")
        await sink.until("link/reconnects", 1)
        assert sink.last("link/services_missing") == 0


async def test_a_service_that_hangs_counts_as_missing_after_two_polls(modern: ScriptedMachine) -> None:
    sink = Recorder()
    driver = create(settings(modern.port, poll_s=0.05, reply_timeout_s=0.2), ATM, SystemClock())
    async with running(driver, sink):
        await sink.until("link/state", "up")
        del modern.services["Beta"].answers["Common.Status"]
        del modern.services["Beta"].answers["Common.Capabilities"]
        await sink.until("link/state", "degraded")


async def test_a_service_that_is_down_from_the_start_is_missing(modern: ScriptedMachine) -> None:
    modern.services["Beta"].is_up = False
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("link/state", "degraded")
        await sink.until("cdm/unit1/count", 155)
        assert sink.last("link/services_missing") == 1


async def test_a_machine_that_went_away_is_unreachable_and_is_told_so(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink) as run:
        await sink.until("link/state", "up")
        await modern.stop()
        with pytest.raises(DeviceUnreachable, match="none of 2 services answers"):
            await asyncio.wait_for(run, 5)
    assert sink.last("link/state") == "down"
    assert sink.last("link/services_missing") == 2


async def test_counters_outlive_the_loss_of_the_machine(modern: ScriptedMachine) -> None:
    sink = Recorder()
    driver = create(settings(modern.port), ATM, SystemClock())
    async with running(driver, sink) as run:
        await sink.until("cdm/unit1/count", 155)
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "software", "action": "reset"})
        await sink.until("cdm/errors", 1)
        await modern.stop()
        with pytest.raises(DeviceUnreachable):
            await asyncio.wait_for(run, 5)
    presented = {"presented": {"typeUSD20A": {"fit": 862}}}
    later = ScriptedMachine(modern.port)
    later.services = {"Alpha": dispenser(), "Beta": reader()}
    storage: Any = later.services["Alpha"].answers["Storage.GetStorage"]
    unit = storage["storage"]["unit1"]
    grown = {**unit, "cash": {**unit["cash"], "status": {**unit["cash"]["status"], "out": presented}}}
    later.services["Alpha"].answers["Storage.GetStorage"] = {"storage": {**storage["storage"], "unit1": grown}}
    await later.start()
    try:
        async with running(driver, sink):
            await sink.until("cdm/notes_dispensed", 20)
            await sink.until("link/state", "up")
            await sink.until("link/reconnects", 1)
            assert sink.last("cdm/errors") == 1
    finally:
        await later.stop()


async def test_a_port_without_publisher_is_unreachable_with_what_was_tried() -> None:
    port = free_port()
    with pytest.raises(DeviceUnreachable, match=rf"127\.0\.0\.1: no service publisher on ports {port} \(ws\)"):
        await create(settings(port), ATM, SystemClock()).run(Recorder())


async def test_a_publisher_without_services_is_unreachable(modern: ScriptedMachine) -> None:
    modern.listed = []
    with pytest.raises(DeviceUnreachable, match="lists no usable services"):
        await create(settings(modern.port), ATM, SystemClock()).run(Recorder())


async def test_publishers_on_several_ports_are_one_machine(modern: ScriptedMachine) -> None:
    second = ScriptedMachine(free_port())
    second.services = {"Gamma": ScriptedService({"Common.Capabilities": {"interfaces": [{"name": "VendorMode"}]},
                                                 "Common.Status": {"vendorMode": {"service": "inactive"}}})}  # fmt: skip
    await second.start()
    sink = Recorder()
    try:
        found = settings(modern.port, ports=(free_port(), modern.port, second.port))
        async with running(create(found, ATM, SystemClock()), sink):
            await sink.until("vdm/service", "inactive")
            await sink.until("cdm/device", "online")
            await second.tell("Gamma", "VendorMode.ModeEnteredEvent", {})
            await sink.until("vdm/service", "active")
    finally:
        await second.stop()


async def test_the_end_of_vendor_mode_makes_every_service_be_read_again(modern: ScriptedMachine) -> None:
    mode = {"vendorMode": {"service": "active"}}
    capabilities = {"interfaces": [{"name": "VendorMode"}]}
    modern.services["Gamma"] = ScriptedService({"Common.Capabilities": capabilities, "Common.Status": mode})
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("vdm/service", "active")
        await sink.until("cdm/unit1/count", 155)
        modern.services["Beta"].answers["Common.Status"] = {"cardReader": {"media": "jammed"}}
        modern.services["Gamma"].answers["Common.Status"] = {"vendorMode": {"service": "inactive"}}
        await modern.tell("Gamma", "VendorMode.ModeExitedEvent", {})
        await sink.until("idc/media", "jammed", timeout_s=2)


async def test_a_service_that_appears_later_is_found(modern: ScriptedMachine) -> None:
    modern.listed = ["Alpha"]
    sink = Recorder()
    async with running(create(settings(modern.port, discovery_s=0.1), ATM, SystemClock()), sink):
        await sink.until("cdm/device", "online")
        assert sink.last("idc/device") is None
        modern.listed = ["Alpha", "Beta"]
        await sink.until("idc/device", "online")


async def test_a_service_of_an_older_release_than_its_publisher_is_understood(modern: ScriptedMachine) -> None:
    modern.services["Beta"].understands = frozenset({1})
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("idc/device", "online")
        await sink.until("link/state", "up")


async def test_frames_that_break_the_protocol_are_refused_counted_and_survived(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port, poll_s=0.1), ATM, SystemClock()), sink):
        await sink.until("link/state", "up")
        await modern.send("Alpha", "not json")
        await modern.send("Alpha", '{"header":{}}')
        await modern.send("Alpha", '{"header":{"type":"completion","name":"Common.Status","requestId":999}}')
        await modern.send_bytes("Alpha", b"\x00\xff")
        await modern.tell("Alpha", "Common.StatusChangedEvent", {"common": {"device": 5}})
        await sink.until_refused(5)
        await sink.until("link/protocol_errors", 5)
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "reset"})
        await sink.until("cdm/errors", 1)
    assert sink.last("link/reconnects") == 0


async def test_a_huge_frame_costs_its_connection_and_nothing_more(modern: ScriptedMachine) -> None:
    sink = Recorder()
    driver = create(settings(modern.port, frame_most_bytes=64 * 1024), ATM, SystemClock())
    async with running(driver, sink):
        await sink.until("link/state", "up")
        await modern.send("Alpha", "x" * (256 * 1024))
        await sink.until_refused(1)
        await sink.until("link/reconnects", 1)
        await sink.until("link/state", "up")


async def test_addresses_lead_to_the_configured_host_only(modern: ScriptedMachine) -> None:
    sink = Recorder()  # the scripted publisher names machine.invalid, which nobody can resolve
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("link/state", "up")


class FullDisk(Recorder):
    """A sink whose outbox cannot be written for a while."""

    is_full = False

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        if self.is_full:
            raise DependencyUnavailable("the outbox cannot be written: disk full")
        await super().observe(observations, keep)


async def test_an_error_text_that_could_not_be_written_is_told_in_the_next_run(modern: ScriptedMachine) -> None:
    sink = FullDisk()
    driver = create(settings(modern.port), ATM, SystemClock())
    async with running(driver, sink) as run:
        await sink.until("cdm/unit1/count", 155)
        sink.is_full = True
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        with pytest.raises(DependencyUnavailable):
            await asyncio.wait_for(run, 5)
    sink.is_full = False
    async with running(driver, sink):
        await sink.until("cdm/error", "hardware/clear: ")
        await sink.until("cdm/errors", 1)


async def test_counters_go_on_in_the_next_life_of_the_gateway(modern: ScriptedMachine) -> None:
    sink = FullDisk()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("cdm/unit1/count", 155)
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        await sink.until("cdm/errors", 1)
    sink.seen.clear()
    driver = create(settings(modern.port), ATM, SystemClock())
    async with running(driver, sink) as run:
        await sink.until("cdm/errors", 1)
        assert 0 not in [item.value for item in sink.seen if item.path == "cdm/errors"]
        sink.is_full = True
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        with pytest.raises(DependencyUnavailable):
            await asyncio.wait_for(run, 5)
    sink.is_full = False
    async with running(driver, sink):
        await sink.until("cdm/errors", 2)
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("cdm/errors", 2)
    assert sink.memory["cdm/errors"] == "2"


async def test_part_numbers_and_counts_go_on_in_the_next_life_of_the_gateway(modern: ScriptedMachine) -> None:
    def storage(*units: tuple[str, int]) -> dict[str, Any]:
        template: Any = STORAGE["storage"]["unit1"]
        listed = {}
        for slot, (serial, presented) in enumerate(units, start=1):
            status = {
                **template["cash"]["status"],
                "index": slot,
                "out": {"presented": {"typeUSD20A": {"fit": presented}}},
            }
            listed[f"unit{slot}"] = {
                **template,
                "id": f"C{slot}",
                "serialNumber": serial,
                "cash": {**template["cash"], "status": status},
            }
        return {"storage": listed}

    answers = modern.services["Alpha"].answers
    answers["Storage.GetStorage"] = storage(("S1", 100), ("S2", 200))
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("cdm/unit2/count", 800)
        answers["Storage.GetStorage"] = storage(("S1", 110), ("S2", 200))
        await modern.tell("Alpha", "Storage.CountsChangedEvent", {})
        await sink.until("cdm/notes_dispensed", 10)
        await modern.send("Alpha", "not json")
        await sink.until_refused(1)
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        await sink.until("cdm/errors", 1)
    answers["Storage.GetStorage"] = storage(("S2", 203), ("S1", 114))  # the cassettes changed places meanwhile
    later = Recorder()
    later.memory = dict(sink.memory)
    async with running(create(settings(modern.port), ATM, SystemClock()), later):
        await later.until("cdm/unit1/count", 1000 - 114)
        await later.until("cdm/unit2/count", 1000 - 203)
        await later.until("cdm/notes_dispensed", 17)
        await later.until("link/state", "up")
        assert later.last("link/protocol_errors") == 1
        dispensed = [item.value for item in later.seen if item.path == "cdm/notes_dispensed"]
        assert dispensed == sorted(dispensed, key=float)
        assert dispensed[0] in {10, 17}
    assert len(later.memory) < 60


@pytest.mark.parametrize("routes_end", [("/",), ("",)])
@pytest.mark.parametrize("listed_end", ["/", ""])
async def test_a_slash_at_the_end_of_an_address_makes_no_difference(routes_end: tuple[str], listed_end: str) -> None:
    machine = ScriptedMachine(free_port(), routes_end=routes_end, listed_end=listed_end)
    machine.services = {"Alpha": dispenser()}
    machine.announced = ["Alpha", "Alpha/"]  # the same service, told twice more
    await machine.start()
    sink = Recorder()
    try:
        async with running(create(settings(machine.port), ATM, SystemClock()), sink):
            await sink.until("link/state", "up")
            await sink.until("cdm/unit1/count", 155)
            assert len(machine.connections["Alpha"]) == 1
    finally:
        await machine.stop()
    assert sink.refused == []


async def test_a_service_that_is_only_announced_by_an_event_is_found(modern: ScriptedMachine) -> None:
    modern.listed, modern.announced = ["Alpha"], ["Beta"]
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("idc/device", "online")


async def test_services_of_one_name_behind_two_publishers_are_two(modern: ScriptedMachine) -> None:
    second = ScriptedMachine(free_port())
    second.services = {"Alpha": reader()}
    modern.services = {"Alpha": dispenser()}
    await second.start()
    sink = Recorder()
    try:
        both = settings(modern.port, ports=(modern.port, second.port), discovery_s=0.1)
        async with running(create(both, ATM, SystemClock()), sink):
            await sink.until("cdm/device", "online")
            await sink.until("idc/device", "online")
            await asyncio.wait_for(_searched_again(modern, 3), 5)
            assert (len(modern.connections["Alpha"]), len(second.connections["Alpha"])) == (1, 1)
            assert sink.last("link/services_missing") == 0
    finally:
        await second.stop()


async def _searched_again(machine: ScriptedMachine, times: int) -> None:
    before = machine.commands("publisher").count("ServicePublisher.GetServices")
    while machine.commands("publisher").count("ServicePublisher.GetServices") < before + times:
        await asyncio.sleep(0.02)


async def test_a_service_that_moved_to_another_port_is_followed(modern: ScriptedMachine) -> None:
    sink = Recorder()
    second = ScriptedMachine(free_port())
    second.services = {"Beta": reader()}
    found = settings(modern.port, ports=(modern.port, second.port), discovery_s=0.1, poll_s=0.1)
    async with running(create(found, ATM, SystemClock()), sink):
        await sink.until("link/state", "up")
        modern.services["Beta"].is_up = False
        modern.listed = ["Alpha"]
        await modern.drop("Beta")
        await sink.until("link/state", "degraded")
        await second.start()
        try:
            await sink.until("link/state", "up", timeout_s=10)
            assert len(second.connections["Beta"]) == 1
        finally:
            await second.stop()


async def test_versions_that_nobody_agrees_on_are_offered_once(modern: ScriptedMachine) -> None:
    del modern.services["Alpha"].answers["Common.SetVersions"]
    sink = Recorder()
    driver = create(settings(modern.port, reply_timeout_s=0.5), ATM, SystemClock())
    async with running(driver, sink):
        await sink.until("cdm/unit1/count", 155)
        await modern.drop("Alpha")
        await sink.until("link/reconnects", 1)
        await sink.until("link/state", "up")
        await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        await sink.until("cdm/errors", 1)
    assert modern.commands("Alpha").count("Common.SetVersions") == 1


async def test_versions_are_agreed_on_once_a_connection_and_commands_carry_them(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port, poll_s=0.05), ATM, SystemClock()), sink):
        await sink.until("cdm/unit1/count", 155)
        await modern.drop("Alpha")
        await sink.until("link/reconnects", 1)
        await sink.until("link/state", "up")
    frames = [item for item in modern.received if item["at"] == "Alpha"]
    assert [item["header"]["name"] for item in frames][:3] == [
        "Common.Capabilities",
        "Common.SetVersions",
        "Common.Status",
    ]
    assert [item["header"]["name"] for item in frames].count("Common.SetVersions") == 2
    assert {item["header"]["version"] for item in frames if item["header"]["name"] == "Common.Status"} == {"2.0"}
    assert all("timeout" in item["header"] for item in frames)


async def test_old_events_beside_new_answers_do_not_change_the_form_of_commands(modern: ScriptedMachine) -> None:
    modern.services["Beta"].understands = frozenset({2, 3})
    sink = Recorder()
    async with running(create(settings(modern.port, poll_s=0.05), ATM, SystemClock()), sink):
        await sink.until("link/state", "up")
        await modern.send("Beta", event("CardReader.MediaRemovedEvent", {}, 1))
        modern.services["Beta"].answers["Common.Status"] = {"cardReader": {"media": "latched"}}
        await sink.until("idc/media", "latched")
        assert sink.last("link/state") == "up"
    assert {item["header"]["version"] for item in modern.received if item["at"] == "Beta"} == {"2.0"}


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    elsewhere = ScriptedMachine(free_port())
    elsewhere.services = {"Alpha": dispenser()}
    await elsewhere.start()

    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"http://127.0.0.1:{elsewhere.port}{request.path}", headers={"Set-Cookie": "a=b"})

    app = web.Application()
    app.router.add_get("/{tail:.*}", redirect)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        with pytest.raises(DeviceUnreachable, match="expected a WebSocket, got a redirect"):
            await asyncio.wait_for(create(settings(port), ATM, SystemClock()).run(Recorder()), 10)
    finally:
        await runner.cleanup()
        await elsewhere.stop()
    assert elsewhere.received == []


async def test_a_flood_of_errors_is_counted_whole_and_told_in_part(modern: ScriptedMachine) -> None:
    sink = Recorder()
    async with running(create(settings(modern.port), ATM, SystemClock()), sink):
        await sink.until("link/state", "up")
        for index in range(2000):
            await modern.tell("Alpha", "Common.ErrorEvent", {"eventId": "hardware", "action": "reset", "n": index})
        await sink.until("cdm/errors", 2000, timeout_s=20)
        assert len([item for item in sink.seen if item.path == "cdm/error"]) < 200
        await modern.tell("Beta", "Common.ErrorEvent", {"eventId": "hardware", "action": "clear"})
        await sink.until("idc/error", "hardware/clear: ")


@pytest.mark.parametrize("file", [__file__, "nowhere.pem"])
def test_a_wrong_certificate_file_is_a_configuration_error_before_anything_runs(file: str) -> None:
    with pytest.raises(ConfigurationError, match=r"tls_ca .*give a PEM file"):
        create(Settings(host="atm", tls_ca=file), ATM, SystemClock())


def test_ports_default_to_the_publishers_of_the_standard() -> None:
    assert Settings(host="atm").publisher_ports() == (443, *range(5846, 5857))
    assert Settings(host="atm", tls=False).publisher_ports() == (80, *range(5846, 5857))
