"""Looking at addresses: what the simulators are is found out, what is written can be run, and strangers harm nobody."""

import asyncio
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp import web
from click.testing import CliRunner

from branchwatch.command_line import commands
from contracts.devices import ATM, CAMERA, FOOTFALL_SENSOR, SELF_SERVICE_TERMINAL
from contracts.errors import DeviceUnreachable
from gateway.check import check
from gateway.discovery.proposal import write
from gateway.discovery.search import search
from gateway.discovery.sighting import Manner, Report
from gateway.discovery.target import Target, targets
from gateway.drivers.onvif.scout import own_addresses
from gateway.settings import GatewaySettings, OutboxSettings
from runtime.clock import SystemClock
from runtime.settings import BrokerSettings, load_settings
from simulators.atm import AtmSimulator
from simulators.camera import CameraSimulator
from simulators.footfall import FootfallSimulator
from simulators.terminal import TerminalSimulator
from simulators.world import CHINA, World
from simulators.xfs4iot import Quirks
from tests.conftest import free_port
from tests.gateway.xfs4iot.examples import DISPENSER_CAPABILITIES
from tests.gateway.xfs4iot.scripted_machine import ScriptedMachine, ScriptedService

WAIT_S = 4.0
PASSWORD = "let-me-see"


class Startable(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


def world() -> World:
    return World(seed=4, begin_at=datetime(2026, 11, 23, 10, 0, tzinfo=CHINA))


@asynccontextmanager
async def serving(*devices: Startable) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for device in devices:
            await device.start()
            stack.push_async_callback(device.stop)
        yield


def at(*ports: int, snmp_port: int = 1, discovery_port: int | None = None) -> Target:
    return Target("127.0.0.1", ports, snmp_port, discovery_port)


async def looked_at(
    *places: Target, community: str = "public", wait_s: float = WAIT_S, username: str = ""
) -> list[Report]:
    return await search(places, Manner.asking(places, wait_s, community, username))


def loaded(text: str, tmp_path: Path) -> GatewaySettings:
    path = tmp_path / "proposal.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(GatewaySettings, path)


# -- what is there is found ----------------------------------------------------------------------------------------------


async def test_what_is_proposed_for_a_branch_of_simulated_devices_passes_the_check(
    broker: BrokerSettings, tmp_path: Path
) -> None:
    atm = AtmSimulator("a", world(), 0)
    terminal = TerminalSimulator("t", world(), 0, 0, snmp_silent_share=0.0)
    camera = CameraSimulator("c", world(), 0, 0, username="viewer", password=PASSWORD, discovery_port=0)
    door = FootfallSimulator("f", world(), free_port(), boot_s=0.0)
    async with serving(atm, terminal, camera, door):
        reports = await looked_at(
            at(atm.port),
            at(terminal.port, snmp_port=terminal.snmp_port),
            at(camera.http_port, discovery_port=camera.discovery_port),
            at(door.port),
            username="viewer",
        )
        text = write(reports, "BR0421")
        found = {device.kind: device for device in loaded(text, tmp_path).devices}
        assert {kind: device.driver for kind, device in found.items()} == {
            ATM.name: "xfs",
            SELF_SERVICE_TERMINAL.name: "xfs+snmp",
            CAMERA.name: "onvif",
            FOOTFALL_SENSOR.name: "axis",
        }
        assert "# username: viewer" in text
        assert PASSWORD not in text
        completed = re.sub(r"# (username: viewer|password: ).*", r"\1", text).replace(
            "password: ", f"password: {PASSWORD}"
        )
        settings = loaded(completed, tmp_path).model_copy(
            update={"broker": broker, "data_dir": tmp_path, "outbox": OutboxSettings(max_bytes=1_000_000)}
        )
        findings = await check(settings, SystemClock(), 40)
        assert [finding.line() for finding in findings if not finding.ok] == []
        assert len(findings) == 2 + 5


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(message_major=1, version_missing=True),
        Quirks(message_major=2),
        Quirks(trailing_slash=True, capital_enums=True, services_by_event=True, camel_case_interfaces=True),
    ],
    ids=["message format 1", "message format 2", "odd spelling"],
)
async def test_machines_of_every_make_are_told_apart_by_their_modules(quirks: Quirks) -> None:
    atm = AtmSimulator("a", world(), 0, quirks=quirks)
    terminal = TerminalSimulator("t", world(), 0, 0, quirks=quirks)
    async with serving(atm, terminal):
        reports = await looked_at(at(atm.port), at(terminal.port), community="")
    assert [[sighting.kind for sighting in report.sightings] for report in reports] == [
        [ATM.name],
        [SELF_SERVICE_TERMINAL.name],
    ]
    assert "idc" in reports[0].sightings[0].what


async def test_a_camera_is_found_by_its_port_alone_and_by_its_word_alone_is_not_proposed() -> None:
    camera = CameraSimulator("c", world(), 0, 0, discovery_port=0)
    async with serving(camera):
        by_port, by_word = await looked_at(
            at(camera.http_port), at(free_port(), discovery_port=camera.discovery_port), community=""
        )
    assert [sighting.driver for sighting in by_port.sightings] == ["onvif"]
    assert [sighting.connection["port"] for sighting in by_word.sightings] == [camera.http_port], "it told its port"


def test_this_computer_knows_its_own_addresses() -> None:
    assert "127.0.0.1" in own_addresses()


async def test_a_network_that_takes_no_question_is_said() -> None:
    with pytest.raises(DeviceUnreachable, match="give addresses instead"):
        await search((), Manner.asking((), 0.2), ["192.0.2.254"])


@pytest.mark.parametrize(("realm", "drivers"), [("AXIS_ACCC8E012345", ["axis"]), ("printer", [])])
async def test_a_device_of_the_counters_maker_that_asks_for_a_user_is_proposed_as_a_comment(
    realm: str, drivers: list[str]
) -> None:
    async def locked(_request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": f'Digest realm="{realm}", nonce="1"'})

    async with web_server(locked) as port:
        (report,) = await looked_at(at(port), community="")
    assert [sighting.driver for sighting in report.sightings] == drivers
    assert not any(sighting.is_certain for sighting in report.sightings)
    assert any("asks for a user where cameras have ONVIF" in remark for remark in report.remarks)


async def test_a_camera_that_nobody_named_is_found_by_asking_the_network() -> None:
    camera = CameraSimulator("c", world(), 0, 0, host="127.0.0.1", discovery_port=3702)
    async with serving(camera):
        reports = await search((), Manner.asking((), 2), ["127.0.0.1"])
    told = [f"{sighting.connection['port']} {sighting.what}" for report in reports for sighting in report.sightings]
    assert any(str(camera.http_port) in text for text in told)
    assert all(look.tried.startswith("WS-Discovery") for report in reports for look in report.looks)


async def test_a_page_that_names_maker_and_counter_is_proposed_with_our_own_address() -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<title>Milesight VS133</title>", content_type="text/html")

    async with web_server(page) as port:
        (report,) = await looked_at(at(port), community="")
    (sighting,) = report.sightings
    assert (sighting.driver, sighting.is_certain) == ("milesight", False)
    assert sighting.connection == {"listen_host": "127.0.0.1", "listen_port": 8125, "path": "/127.0.0.1"}


async def test_a_machine_is_asked_only_what_it_is_and_over_tls_where_it_has_it(tmp_path: Path) -> None:
    certificate, key = tmp_path / "machine.pem", tmp_path / "machine.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=machine",
               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    machine = ScriptedMachine(free_port(), tls=context, scheme="wss")
    machine.services["Alpha"] = ScriptedService({"Common.Capabilities": DISPENSER_CAPABILITIES})
    machine.services["Mute"] = ScriptedService()
    async with serving(machine):
        (report,) = await looked_at(at(machine.port), community="", wait_s=1)
    (sighting,) = report.sightings
    assert sighting.kind == ATM.name
    assert "tls" not in sighting.connection
    assert any(line.startswith("tls_ca: ") for line in sighting.fill_in)
    assert "1 services did not answer" in sighting.what
    assert set(machine.commands()) == {"ServicePublisher.GetServices", "Common.Capabilities"}


async def test_a_community_of_ones_own_is_used_and_not_written(tmp_path: Path) -> None:
    terminal = TerminalSimulator("t", world(), 0, 0, snmp_silent_share=0.0)
    async with serving(terminal):
        place = at(terminal.port, snmp_port=terminal.snmp_port)
        (wrong,) = await looked_at(place, community="not-for-everybody", wait_s=0.6)
        (right,) = await looked_at(place)
    assert [sighting.driver for sighting in wrong.sightings] == ["xfs"]
    assert [sighting.driver for sighting in right.sightings] == ["xfs", "snmp"]
    assert "not-for-everybody" not in write([wrong], "BR0421")


# -- strangers -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def web_server(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def noise(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(200):
        writer.write(os.urandom(4096))
        await writer.drain()


async def endless_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 1000000000\r\n\r\n<a>")
    for _ in range(20_000):
        writer.write(b"x" * 4096)
        await writer.drain()


async def test_strangers_are_no_devices_end_in_time_and_do_not_hide_the_others() -> None:
    atm = AtmSimulator("a", world(), 0)

    async def redirect(_request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    async def empty(_request: web.Request) -> web.Response:
        return web.json_response({"header": {}, "services": [None, 7]})

    began_s = time.monotonic()
    async with (
        serving(atm),
        raw_server(silence) as mute,
        raw_server(noise) as noisy,
        raw_server(endless_page) as endless,
        web_server(redirect) as redirecting,
        web_server(empty) as odd,
    ):
        strangers = [at(port) for port in (mute, noisy, endless, redirecting, odd, free_port())]
        reports = await looked_at(*strangers, at(atm.port), community="", wait_s=2)
    assert [len(report.sightings) for report in reports] == [0, 0, 0, 0, 0, 0, 1]
    assert time.monotonic() - began_s < 60
    text = write(reports, "BR0421")
    assert f"127.0.0.1:{mute}" in text
    assert "the look broke" not in text


async def test_an_agent_that_answers_nonsense_is_no_agent() -> None:
    class Nonsense(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for answer in (b"", data[:10], os.urandom(1400), data + data, data[::-1], b"<?xml version='1.0'?><a/>"):
                self.transport.sendto(answer, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Nonsense, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        (report,) = await looked_at(at(free_port(), snmp_port=port, discovery_port=port), wait_s=1)
    finally:
        transport.close()
    assert report.sightings == []


async def test_a_whole_network_without_devices_ends_in_bounded_time() -> None:
    places = targets(["127.9.8.0/28"], snmp_port=1, discovery_port=1)
    began_s = time.monotonic()
    reports = await looked_at(*places, wait_s=0.3)
    assert time.monotonic() - began_s < 60
    assert [report.target.host for report in reports] == [f"127.9.8.{number}" for number in range(1, 15)]
    assert [report.sightings for report in reports] == [[]] * 14


# -- the command -------------------------------------------------------------------------------------------------------------


async def command(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "branchwatch", "gateway", "discover", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=cwd,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_prints_a_proposal_or_writes_a_new_file(tmp_path: Path) -> None:
    atm = AtmSimulator("a", world(), 0)
    async with serving(atm):
        place = f"127.0.0.1:{atm.port}"
        status, printed, said = await command(place, "--branch", "BR0421", "--snmp-port", "1", cwd=tmp_path)
        assert (status, said) == (0, "")
        assert [device.kind for device in loaded(printed, tmp_path).devices] == [ATM.name]
        status, said, _ = await command(place, "--snmp-community", "", "--output", "new.yaml", cwd=tmp_path)
        assert (status, "branchwatch gateway check new.yaml" in said) == (0, True)
        assert (tmp_path / "new.yaml").stat().st_mode & 0o777 == 0o600
    status, printed, _ = await command(f"127.0.0.1:{free_port()}", "--snmp-community", "", "--wait", "1", cwd=tmp_path)
    assert (status, "Nothing found" in printed) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give an ADDRESS, or --multicast"),
        (["10.0.0.0/8"], "has 16777216 addresses"),
        (["127.0.0.1", "--branch", "BR 1"], "expected a letter or digit, then at most 31 of"),
        (["127.0.0.1", "atm-01.invalid", "atm-02.invalid"], "atm-01.invalid, atm-02.invalid: no address is known for"),
        (["127.0.0.1", "--output", "no/where/new.yaml"], "no/where does not exist; make it first"),
        (["127.0.0.1", "127.0.0.2", "--snmp-community", "our-own-word"], "is a password"),
    ],
)
def test_a_mistake_is_named_before_anything_is_sent(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(commands, ["gateway", "discover", *arguments])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert "our-own-word" not in done.output


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    kept = tmp_path / "gateway.yaml"
    kept.write_text("branch_id: BR0421\n")
    done = CliRunner().invoke(commands, ["gateway", "discover", "127.0.0.1", "--output", str(kept)])
    assert (done.exit_code, "exists already and is not overwritten" in " ".join(done.output.split())) == (2, True)
    assert kept.read_text() == "branch_id: BR0421\n"
