"""Log lines of drivers say which branch, device and protocol they are about, and no line ever holds a secret.

A gateway with a device on every driver, among peers that answer no, answer nonsense, or say back what they were told.
"""

import asyncio
import base64
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from structlog.contextvars import bound_contextvars, get_contextvars

from contracts.devices import FOOTFALL_SENSOR
from contracts.errors import DependencyUnavailable
from gateway.driver import Observation
from gateway.drivers.sia_dc09.frame import seal
from tests.conftest import free_port
from tests.gateway.core.wire import BRANCH
from tests.gateway.milesight.pushes import push as sensor_push
from tests.gateway.milesight.test_http import Door
from tests.gateway.sia_dc09.recording_sink import RecordingSink

ROOT = Path(__file__).parents[3]
WAIT_S = 60.0

PASSWORDS = ["onvif-secret-1", "axis-secret-2", "push-secret-3", "bearer-secret-4", "broker-secret-5"]
COMMUNITY = "community-secret-6"
PHRASES = ["signing-secret-7", "privacy-secret-8"]
KEY_HEX = "00112233445566778899aabbccddeeff"
KEY_ASCII = "sixteen-letters!"
SECRETS = [*PASSWORDS, COMMUNITY, *PHRASES, KEY_HEX, KEY_ASCII]


@asynccontextmanager
async def parrot() -> AsyncIterator[int]:
    """A web server that asks for a user, and then says back all it was told."""

    async def answer(request: web.Request) -> web.Response:
        told = request.headers.get("Authorization", "")
        if not told:
            challenge = (
                'Basic realm="AXIS_1"'
                if "tvpc" in request.path or "counter" in request.path
                else 'Digest realm="c", nonce="n", qop="auth"'
            )
            return web.Response(status=401, headers={"WWW-Authenticate": challenge}, text="who?")
        plain = base64.b64decode(told.partition(" ")[2] + "===") if told.startswith("Basic") else told.encode()
        return web.Response(status=200, body=b"you said " + plain + await request.read(), content_type="text/xml")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def devices(web_port: int, panel_port: int, push_port: int) -> dict[str, dict[str, Any]]:
    """Kind and connection by id."""
    closed = free_port()
    v3 = {"username": "watch", "auth_password": PHRASES[0], "privacy_password": PHRASES[1]}
    snmp = {"driver": "snmp", "poll_s": 0.2, "timeout_s": 0.2, "retries": 0}
    panel = {"driver": "dc09", "listen_port": panel_port, "zones": [1]}
    push = {"driver": "milesight", "listen_port": push_port, "path": "/push", "username": "door"}
    camera = {"driver": "onvif", "host": "127.0.0.1", "username": "viewer", "password": PASSWORDS[0], "timeout_s": 1}
    return {
        "atm-01": {"kind": "atm", "connection": {"driver": "xfs", "host": "127.0.0.1", "ports": [closed, web_port], "tls": False}},
        "sst-01": {"kind": "self_service_terminal", "connection": {**snmp, "host": {"address": "127.0.0.1", "port": closed, "community": COMMUNITY}}},
        "sst-02": {"kind": "self_service_terminal", "connection": {**snmp, "host": {"address": "127.0.0.1", "port": closed, **v3}}},
        "cam-01": {"kind": "camera", "connection": {**camera, "port": web_port}},
        "cam-02": {"kind": "camera", "connection": {**camera, "port": closed, "rtsp_url": f"rtsp://127.0.0.1:{web_port}/live"}},
        "door-01": {"kind": "footfall_sensor", "connection": {"driver": "axis", "host": "127.0.0.1", "port": web_port, "username": "root", "password": PASSWORDS[1], "poll_s": 0.2}},
        "door-02": {"kind": "footfall_sensor", "connection": {**push, "password": PASSWORDS[2], "device_sn": "SN-2"}},
        "door-03": {"kind": "footfall_sensor", "connection": {**push, "token": PASSWORDS[3], "password": PASSWORDS[2], "device_sn": "SN-3"}},
        "alm-01": {"kind": "alarm_panel", "connection": {**panel, "account": "1111"}},
        "alm-02": {"kind": "alarm_panel", "connection": {**panel, "account": "2222"}},
        "alm-03": {"kind": "alarm_panel", "connection": {**panel, "account": "3333", "key_hex": KEY_HEX}},
        "alm-04": {"kind": "alarm_panel", "connection": {**panel, "account": "4444", "key_ascii": KEY_ASCII}},
    }  # fmt: skip


class Gateway:
    """A gateway process that logs everything, as JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.text = ""

    async def listen(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.text += line.decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    def about(self, text: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if text in line["event"]]

    async def until(self, what: str, times: int = 1) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                while len(self.about(what)) < times:
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise AssertionError(f"not logged: {what}\n{self.text[-3000:]}") from error


@asynccontextmanager
async def gateway(path: Path) -> AsyncIterator[Gateway]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "branchwatch", "gateway", str(path), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    running = Gateway(process)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
        process.terminate()
        async with asyncio.timeout(WAIT_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listening


async def say(port: int, *frames: bytes) -> None:
    """Say something to the alarm receiver on one connection, and wait until it hangs up or is quiet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for frame in frames:
        writer.write(frame)
        try:
            async with asyncio.timeout(3):
                await reader.readuntil(b"\r")
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            continue
    writer.transport.abort()


async def push(port: int, path: str, serial: str, **headers: str) -> int:
    body = {"device_info": {"device_sn": serial}, "token": PASSWORDS[3]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}{path}", json=body, headers=headers) as answer,
    ):
        return answer.status


async def test_lines_of_drivers_carry_ids_also_after_a_reload_and_none_holds_a_secret(tmp_path: Path) -> None:
    panel_port, push_port = free_port(), free_port()
    async with parrot() as web_port:
        made = devices(web_port, panel_port, push_port)
        document: dict[str, Any] = {
            "branch_id": BRANCH,
            "data_dir": str(tmp_path / "data"),
            "broker": {"port": free_port(), "username": "gateway", "password": PASSWORDS[4]},
            "log": {"level": "debug", "format": "json"},
            "retry": {"first_s": 0.1, "most_s": 0.3},
            "devices": [{"id": key, **rest} for key, rest in made.items()],
        }
        path = tmp_path / "gateway.yaml"
        path.write_text(yaml.safe_dump(document))
        async with gateway(path) as running:
            await running.until("attempt failed", 12)
            # Each panel alarms in a zone nobody listed, all over the connection of the first.
            alarms = [seal(b'"ADM-CID"0001L0#%s[#%s|1130 01 077]' % (name, name)) for name in (b"1111", b"2222")]
            await say(panel_port, *alarms, seal(b'"ADM-CID"0001L0#3333[#3333|1130 01 077]'), b"\nnonsense\r" * 40)
            await running.until("alarm of a zone that the settings do not list", 2)
            await say(panel_port, alarms[1], b"\nnonsense\r" * 40)
            await running.until("connection closed after nothing but flaws")
            basic = "Basic " + base64.b64encode(f"door:{PASSWORDS[2]}".encode()).decode()
            assert await push(push_port, f"/push?token={PASSWORDS[3]}", "SN-3") in {200, 400, 404}
            assert await push(push_port, "/push", "SN-2", Authorization=basic) in {200, 400, 404}
            assert await push(push_port, f"/push?token={PASSWORDS[3][:-1]}", "SN-2") == 401
            await running.until("input refused", 5)
            document["devices"][0]["connection"]["poll_s"] = 7
            path.write_text(yaml.safe_dump(document))
            before = len(running.lines)
            running.process.send_signal(signal.SIGHUP)
            await running.until("settings reloaded")
            failed_before = len([line for line in running.lines if line.get("device_id") == f"{BRANCH}/atm-01"])
            async with asyncio.timeout(WAIT_S):
                while (
                    len([line for line in running.lines if line.get("device_id") == f"{BRANCH}/atm-01"])
                    < failed_before + 2
                ):
                    await asyncio.sleep(0.05)
            assert len(running.lines) > before
        lines, text = running.lines, running.text
    ids = {f"{BRANCH}/{key}": rest["connection"]["driver"] for key, rest in made.items()}
    of_drivers = [
        line for line in lines if line["logger"].startswith("gateway.drivers") or line["event"] == "attempt failed"
    ]
    of_drivers += [line for line in lines if line["event"] in {"input refused", "driver broke"}]
    assert {line["device_id"] for line in of_drivers} >= set(ids) - {f"{BRANCH}/door-02", f"{BRANCH}/door-03"} - {
        key for key in ids if key.endswith("alm-04")
    }
    for line in of_drivers:
        assert line["branch_id"] == BRANCH, line
        assert line["driver"] == ids[line["device_id"]], line
    accounts = {f"{BRANCH}/{key}": rest["connection"].get("account") for key, rest in made.items()}
    of_panels = [line for line in lines if "account" in line]
    assert {line["account"] for line in of_panels} >= {"1111", "2222"}
    for line in of_panels:
        assert line["account"] == accounts[line["device_id"]], line
    assert {line["level"] for line in lines if line["event"] == "driver broke"} == set()
    for secret in (
        *SECRETS,
        *(
            base64.b64encode(f"{user}:{word}".encode()).decode()
            for user in ("door", "root", "viewer")
            for word in PASSWORDS
        ),
    ):
        assert secret not in text, next(line for line in text.splitlines() if secret in line)


async def test_a_push_is_logged_with_the_ids_of_its_own_sensor_on_a_shared_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server of a shared port runs with the ids of whoever opened it."""
    told: list[dict[str, Any]] = []

    class Recorder:
        def warning(self, event: str, **values: Any) -> None:
            told.append({**get_contextvars(), **values, "event": event})

    class Full(RecordingSink):
        async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
            if any(item.path == "total/in" for item in observations):
                raise DependencyUnavailable("the disk is full")
            await super().observe(observations, keep)

    monkeypatch.setattr("gateway.drivers.milesight.receiver._log", Recorder())
    port = free_port()
    async with AsyncExitStack() as doors:
        for number in (1, 2):
            door = Door(port, device_sn=f"SN-{number}")
            door.sink = Full(FOOTFALL_SENSOR)
            with bound_contextvars(device_id=f"door-{number}"):
                await doors.enter_async_context(door.open())
        for number in (2, 1):
            status, _ = await door.post(sensor_push(0, {1: (3, 1)}, serial=f"SN-{number}"))
            assert status == 503
    assert [(line["device_id"], line["serial"]) for line in told] == [("door-2", "SN-2"), ("door-1", "SN-1")]
