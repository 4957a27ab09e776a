"""The SNMP agent as Debian's tools see it."""

import asyncio
import socket
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.errors import ConfigurationError
from runtime.clock import ManualClock
from simulators.terminal import SnmpQuirks, TerminalSimulator
from simulators.terminal.office_printer import TONER_PAGES
from simulators.world import World
from tests.simulators.terminal.conftest import MORNING, Serve
from tests.simulators.terminal.net_snmp import get, run, walk

MIB_2 = "1.3.6.1.2.1"
HOST = f"{MIB_2}.25"
PRINTER = f"{MIB_2}.43"
UPS = f"{MIB_2}.33.1"
ERROR_STATE = f"{HOST}.3.5.1.2.1"
SUPPLY_LEVEL = f"{PRINTER}.11.1.1.9.1.1"
TRAY_LEVEL = f"{PRINTER}.8.2.1.10.1.1"
APPLICATIONS = f"{HOST}.4.2.1.2"

SILENT = ["host_down", "snmp_silent"]

WIRE = {
    "toner_low": (ERROR_STATE, "20 00", "00 00"),
    "toner_out": (ERROR_STATE, "10 00", "00 00"),
    "paper_low_a4": (ERROR_STATE, "80 00", "00 00"),
    "tray_empty": (ERROR_STATE, "40 04", "00 00"),
    "paper_jam_a4": (f"{HOST}.3.2.1.5.1", "INTEGER: 5", "INTEGER: 2"),
    "door_open_a4": (f"{PRINTER}.6.1.1.3.1.1", "INTEGER: 3", "INTEGER: 4"),
    "overheated": (f"{HOST}.3.3.1.2.3", "INTEGER: 97", None),
    "ups_battery_bad": (f"{UPS}.6.2.1.2.1", f"OID: .{UPS}.6.3.1", "No Such Instance"),
    "ups_overload": (f"{UPS}.4.4.1.5.1", "INTEGER: 120", "INTEGER: 35"),
    "ups_charger_failed": (f"{UPS}.6.2.1.2.13", f"OID: .{UPS}.6.3.13", "No Such Instance"),
    "mains_failure": (f"{UPS}.4.1.0", "INTEGER: 5", "INTEGER: 3"),
    "net_port_down": (f"{MIB_2}.2.2.1.8.3", "INTEGER: 2", "INTEGER: 1"),
    "disk_full": (f"{HOST}.2.3.1.6.3", "INTEGER: 61", "INTEGER: 2"),
}
"""Failure → object, how its value begins while broken and when whole."""


def printed(terminal: TerminalSimulator, pages: int) -> int:
    return terminal.terminal.office_printer.print(pages, terminal._chance)


async def test_a_walk_finds_every_object_once_and_in_order(serve: Serve) -> None:
    async with serve() as terminal:
        found = list(await walk(terminal.snmp_port, "1.3.6.1", tool="snmpwalk"))
        bulk = list(await walk(terminal.snmp_port, "1.3.6.1", "-Cr25", tool="snmpbulkwalk"))
    as_numbers = [tuple(map(int, oid.split("."))) for oid in found]
    assert as_numbers == sorted(set(as_numbers))
    assert len(found) > 100
    assert bulk == found
    for group in ("1.3.0", "2.2.1.8.2", "25.1.1.0", "31.1.1.1.6.2", "33.1.2.4.0", "43.11.1.1.9.1.1"):
        assert f"{MIB_2}.{group}" in found


async def test_a_walk_says_where_the_view_ends(serve: Serve) -> None:
    async with serve() as terminal:
        text = await run("snmpwalk", terminal.snmp_port, ".1.3.6.1.2.1.43.18")
        assert "No Such Object" in text or "No more variables" in text
        last = await run("snmpgetnext", terminal.snmp_port, ".1.3.6.1.2.1.99")
        assert "No more variables left in this MIB View" in last


async def test_an_unknown_object_and_an_unknown_instance_are_told_apart(serve: Serve) -> None:
    async with serve() as terminal:
        values = await get(terminal.snmp_port, f"{HOST}.1.1.0", f"{HOST}.1.1.7", f"{HOST}.9.9.0", f"{UPS}.6.2.1.2.1")
    assert values[0].startswith("Timeticks:")
    assert values[1].startswith("No Such Instance")
    assert values[2].startswith("No Such Object")
    assert values[3].startswith("No Such Instance"), "the alarm table is empty, and it is there"


@pytest.mark.parametrize("failure", WIRE)
async def test_a_failure_is_in_the_objects_and_so_is_its_repair(serve: Serve, failure: str) -> None:
    oid, broken, whole = WIRE[failure]
    async with serve() as terminal:
        await terminal.inject(failure)
        terminal.tick()
        assert (await get(terminal.snmp_port, oid))[0].removeprefix("Hex-STRING: ").startswith(broken)
        await terminal.repair(failure)
        terminal.tick()
        value = (await get(terminal.snmp_port, oid))[0].removeprefix("Hex-STRING: ")
        assert value.startswith(whole) if whole else not value.startswith(broken)


@pytest.mark.parametrize("failure", SILENT)
async def test_a_silent_agent_answers_nothing_and_then_again(serve: Serve, failure: str) -> None:
    async with serve() as terminal:
        await terminal.inject(failure)
        assert "Timeout" in await run("snmpget", terminal.snmp_port, f".{HOST}.1.1.0", tries=1)
        await terminal.repair(failure)
        assert (await get(terminal.snmp_port, f"{HOST}.1.1.0"))[0].startswith("Timeticks:")


async def test_the_application_is_missing_after_a_crash_and_another_process_after_its_start(serve: Serve) -> None:
    def index(found: dict[str, str]) -> str | None:
        return next((oid.rpartition(".")[2] for oid, name in found.items() if "kiosk.exe" in name), None)

    async with serve() as terminal:
        before = index(await walk(terminal.snmp_port, APPLICATIONS))
        await terminal.inject("app_crash")
        assert index(await walk(terminal.snmp_port, APPLICATIONS)) is None
        await terminal.repair("app_crash")
        after = index(await walk(terminal.snmp_port, APPLICATIONS))
        assert None not in {before, after}
        assert before != after
        await terminal.inject("app_hang")
        assert (await get(terminal.snmp_port, f"{HOST}.4.2.1.7.{after}")) == ["INTEGER: 3"]
        await terminal.repair("app_hang")
        running = index(await walk(terminal.snmp_port, APPLICATIONS))
        assert (await get(terminal.snmp_port, f"{HOST}.4.2.1.7.{running}")) == ["INTEGER: 1"]


async def test_toner_and_paper_fall_page_by_page_until_the_printer_complains(serve: Serve) -> None:
    async with serve() as terminal:
        printer = terminal.terminal.office_printer
        pages = printer.pages
        while printer.toner_pages > TONER_PAGES * 0.1:
            printed(terminal, 20)
            printer.jammed = False
            printer.sheets = 250
        terminal.tick()
        level, counted = await get(terminal.snmp_port, SUPPLY_LEVEL, f"{PRINTER}.10.2.1.4.1.1")
        assert int(level.split()[-1]) == printer.toner_pages
        assert int(counted.split()[-1]) == pages + TONER_PAGES - printer.toner_pages
        printed(terminal, 1)
        terminal.tick()
        (state,) = await get(terminal.snmp_port, ERROR_STATE)
        assert state.startswith("Hex-STRING: 20 00")
        texts = await walk(terminal.snmp_port, f"{PRINTER}.18.1.1.8")
        assert list(texts.values()) == ['STRING: "Toner low"']


def manual(begin_at: datetime = MORNING) -> tuple[ManualClock, World]:
    clock = ManualClock(1_772_000_000_000)
    return clock, World(begin_at=begin_at, clock=clock)


async def test_a_mains_failure_drains_the_battery_to_low_then_depleted_then_silence(serve: Serve) -> None:
    clock, world = manual()
    async with serve(world=world) as terminal:

        async def battery() -> list[int]:
            oids = (f"{UPS}.2.1.0", f"{UPS}.2.2.0", f"{UPS}.2.4.0")
            return [int(value.split()[-1]) for value in await get(terminal.snmp_port, *oids)]

        async def after(minutes: int) -> None:
            clock.advance(minutes * 60_000)
            terminal.tick()

        terminal.tick()
        assert await battery() == [2, 0, 100]
        await terminal.inject("mains_failure")
        await after(20)
        assert await battery() == [2, 1200, 50]
        await after(13)
        assert (await battery())[0] == 3
        await after(5)
        assert (await battery())[0] == 4
        alarms = await walk(terminal.snmp_port, f"{UPS}.6.2.1.2")
        assert [oid.rpartition(".")[2] for oid in alarms] == ["2", "3", "4", "6"]
        await after(3)
        assert "Timeout" in await run("snmpget", terminal.snmp_port, f".{UPS}.2.1.0", tries=1)
        await terminal.repair("mains_failure")
        assert (await get(terminal.snmp_port, f"{UPS}.4.1.0")) == ["INTEGER: 3"]
        await after(240)
        assert await battery() == [2, 0, 100]


async def test_a_bad_battery_lasts_a_few_minutes(serve: Serve) -> None:
    clock, world = manual()
    async with serve(world=world) as terminal:
        await terminal.inject("ups_battery_bad")
        await terminal.inject("mains_failure")
        clock.advance(5 * 60_000)
        terminal.tick()
        assert (await get(terminal.snmp_port, f"{UPS}.2.1.0")) == ["INTEGER: 3"]


async def test_memory_creeps_and_the_disk_fills_until_they_are_seen_to(serve: Serve) -> None:
    clock, world = manual()
    async with serve(world=world) as terminal:

        async def shares() -> list[float]:
            values = [
                int(value.split()[-1])
                for value in await get(terminal.snmp_port, *(f"{HOST}.2.3.1.{c}.{i}" for i in (1, 3) for c in (5, 6)))
            ]
            return [values[1] / values[0], values[3] / values[2]]

        first = await shares()
        await terminal.inject("memory_leak")
        await terminal.inject("disk_fill")
        clock.advance(int(timedelta(hours=12) / timedelta(milliseconds=1)))
        terminal.tick()
        memory, disk = await shares()
        assert memory > 0.9
        assert first[1] + 0.009 < disk < first[1] + 0.013
        await terminal.repair("disk_fill")
        assert (await shares())[1] < 0.42
        await terminal.repair("memory_leak")
        assert "Timeout" in await run("snmpget", terminal.snmp_port, f".{HOST}.1.1.0", tries=1)
        clock.advance(300_000)
        terminal.tick()
        assert (await shares())[0] < 0.5


async def test_it_restarts_at_night_and_its_uptime_begins_anew(serve: Serve) -> None:
    clock, world = manual(MORNING.replace(hour=22, minute=29))
    async with serve(world=world) as terminal:
        oid = f"{HOST}.1.1.0"

        async def uptime_s() -> float:
            (value,) = await get(terminal.snmp_port, oid)
            return int(value.partition("(")[2].partition(")")[0]) / 100

        assert 23 * 3600 < await uptime_s() < 24 * 3600
        clock.advance(120_000)
        terminal.tick()
        assert "Timeout" in await run("snmpget", terminal.snmp_port, f".{oid}", tries=1)
        clock.advance(240_000)
        terminal.tick()
        assert await uptime_s() < 60


@pytest.mark.parametrize(("without_zone", "octets"), [(False, 11), (True, 8)])
async def test_the_date_is_told_with_or_without_its_zone(serve: Serve, without_zone: bool, octets: int) -> None:
    clock, world = manual()
    async with serve(world=world, snmp_quirks=SnmpQuirks(date_without_zone=without_zone)) as terminal:
        terminal.terminal.computer.skew_ms = 2000
        (value,) = await get(terminal.snmp_port, f"{HOST}.1.2.0")
    told = bytes.fromhex(value.removeprefix("Hex-STRING: ").strip())
    assert len(told) == octets
    local = datetime.fromtimestamp(clock.now_ms() / 1000 + 2, MORNING.tzinfo)
    assert (int.from_bytes(told[:2], "big"), *told[2:7]) == local.timetuple()[:6]
    assert told[8:] == (b"" if without_zone else b"+\x08\x00")


async def test_short_error_bits_lose_their_empty_octets(serve: Serve) -> None:
    async with serve(snmp_quirks=SnmpQuirks(short_error_bits=True)) as terminal:
        assert (await get(terminal.snmp_port, ERROR_STATE)) == ['""']
        await terminal.inject("paper_jam_a4")
        assert (await get(terminal.snmp_port, ERROR_STATE))[0] in {'STRING: "\x04"', "Hex-STRING: 04"}
        await terminal.inject("tray_empty")
        assert (await get(terminal.snmp_port, ERROR_STATE))[0].startswith("Hex-STRING: 44 04")


async def test_an_agent_may_not_know_its_levels(serve: Serve) -> None:
    async with serve(snmp_quirks=SnmpQuirks(no_levels=True)) as terminal:
        assert await get(terminal.snmp_port, SUPPLY_LEVEL, TRAY_LEVEL) == ["INTEGER: -2", "INTEGER: -2"]


async def test_an_agent_may_have_short_counters_only_and_they_wrap(serve: Serve) -> None:
    async with serve(snmp_quirks=SnmpQuirks(counters_32_only=True)) as terminal:
        port = terminal.terminal.computer.ports[0]
        port.received_bytes = (1 << 32) + 17
        terminal.tick()
        low, high = await get(terminal.snmp_port, f"{MIB_2}.2.2.1.10.2", f"{MIB_2}.31.1.1.1.6.2")
        assert 17 <= int(low.split()[-1]) < 1_000_000
        assert high.startswith("No Such Object")


async def test_another_community_gets_no_answer(serve: Serve) -> None:
    async with serve() as terminal:
        assert "Timeout" in await run("snmpget", terminal.snmp_port, f".{HOST}.1.1.0", community="private", tries=1)
        assert terminal._agent.refused > 0


async def test_nothing_can_be_written(serve: Serve) -> None:
    async with serve() as terminal:
        text = await run("snmpset", terminal.snmp_port, f".{MIB_2}.1.5.0", "s", "other")
    assert "notWritable" in text


async def test_answers_take_as_long_as_their_objects(serve: Serve) -> None:
    async with serve(snmp_answer_s=0.02) as terminal:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert len(await walk(terminal.snmp_port, f"{HOST}.2", "-Cr25", tool="snmpbulkwalk")) > 10
        assert loop.time() - began > 0.3


async def test_a_taken_port_is_a_configuration_error_and_leaves_nothing_open(serve: Serve) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
        terminal = TerminalSimulator("sst-01", World(), 0, port)
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            await terminal.start()
        assert terminal._host._server is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sessions_per_day": 0}, "sessions_per_day"),
        ({"decay_pace": 0}, "decay_pace"),
        ({"crash_service": "Nothing1"}, "crash_service"),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TerminalSimulator("sst-01", World(), 0, 0, **options)
