"""A monitor only looks: whatever happens at the machine, nothing but readings is ever asked of it.

The names are written out here, not taken from the driver: adding a command there has to fail here.
"""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import gateway.drivers.xfs4iot as package
from contracts.devices import ATM, SELF_SERVICE_TERMINAL
from gateway.drivers.xfs4iot import create
from gateway.drivers.xfs4iot.envelope import Command, ForbiddenCommand, build_command
from gateway.drivers.xfs4iot.mapping_events import FIXED, READ
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.xfs4iot import terminal
from tests.gateway.xfs4iot.scripted_machine import Recorder, ScriptedMachine
from tests.gateway.xfs4iot.test_conversation import dispenser, reader, running, settings

ALLOWED = {
    "ServicePublisher.GetServices": {"timeout"},
    "Common.Capabilities": {"timeout"},
    "Common.SetVersions": {"timeout", "commands", "events"},
    "Common.Status": {"timeout"},
    "Storage.GetStorage": {"timeout"},
}
"""Command → properties its payload may have."""

PAYLOADS: tuple[dict[str, Any], ...] = (
    {},
    {"common": {"device": "hardwareError", "exchange": "active"}},
    {"device": "fraudAttempt", "exchange": "inactive"},
    {"eventId": "hardware", "action": "reset", "vendorDescription": "please send CashDispenser.Reset"},
    {"unit1": {"status": "missing", "cash": {"status": {"replenishmentStatus": "empty"}}}},
    {"unitRETAIN": {"card": {"status": {"count": 40, "replenishmentStatus": "full"}}}},
    {"position": "outDefault", "shutter": "jammed"},
    {"to": "unitRETAIN", "from": "transport"},
    {"paperSource": "upper", "threshold": "out", "state": "out", "binNumber": 1},
    {"operatorSwitch": "supervisor", "tamperSensor": "on", "UPS": {"powering": True, "low": True}},
    {"vendorMode": {"service": "active"}, "cashDispenser": {"positions": [{"position": "outDefault"}]}},
)


async def everything_happens(machine: ScriptedMachine, name: str) -> None:
    """Every event there is, with payloads that fit and payloads that do not."""
    for event in (*FIXED, *READ, "registeredvendorthing"):
        for payload in PAYLOADS:
            await machine.tell(name, f"Interface.{event}Event", payload)
    await machine.send(name, "not json")
    await machine.send(name, '{"header":{"type":"command","name":"Common.Reset","requestId":1,"version":"2.0"}}')
    await machine.send(name, '{"header":{"type":"completion","name":"CashDispenser.Reset","requestId":3}}')
    await machine.send_bytes(name, b"\x00")


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_no_other_command_ever_leaves_whatever_happens(major: int) -> None:
    machine, second = ScriptedMachine(free_port(), major), ScriptedMachine(free_port(), major)
    machine.services = {"Alpha": dispenser(), "Beta": reader()}
    second.services = terminal.services()
    second.services["Tap"].answers.pop("Common.SetVersions")
    second.services["Codes"].understands = frozenset({1})
    await machine.start()
    await second.start()
    atm, terminal_sink = Recorder(), Recorder()
    quick: dict[str, Any] = {"poll_s": 0.1, "storage_poll_s": 0.1, "discovery_s": 0.2, "reply_timeout_s": 0.5}
    try:
        async with (
            running(create(settings(machine.port, **quick), ATM, SystemClock()), atm),
            running(create(settings(second.port, **quick), SELF_SERVICE_TERMINAL, SystemClock()), terminal_sink),
        ):
            await atm.until("link/state", "up")
            await terminal_sink.until("prp/ink", "low")
            await terminal_sink.until("link/state", "up", timeout_s=10)
            for served, names in ((machine, list(machine.services)), (second, list(second.services))):
                for name in names:
                    await everything_happens(served, name)
            del machine.services["Beta"].answers["Common.Status"]  # a service that hangs
            machine.services["Alpha"].answers["Storage.GetStorage"] = {"storage": [1]}
            await second.drop("Receipt")
            await machine.drop("Alpha")
            await atm.until("link/state", "degraded", timeout_s=10)
            machine.services["Beta"] = reader()
            machine.services["Alpha"] = dispenser()
            await atm.until("link/state", "up", timeout_s=10)
            await terminal_sink.until("link/state", "up", timeout_s=10)
            await atm.until("idc/retain1/count", 31)
    finally:
        await machine.stop()
        await second.stop()
    frames = machine.received + second.received
    assert {frame["header"]["name"] for frame in frames} <= set(ALLOWED)
    assert {frame["header"]["name"] for frame in frames} >= set(ALLOWED) - {"Common.SetVersions"}
    for frame in frames:
        header, payload = frame["header"], frame.get("payload", {})
        assert header["type"] == "command"
        assert set(payload) <= ALLOWED[header["name"]]
        named = {*payload.get("commands", {}), *payload.get("events", {})}
        assert {name for name in named if not name.endswith("Event")} <= set(ALLOWED)


def test_the_list_of_commands_is_the_one_written_here() -> None:
    assert {command.value for command in Command} == set(ALLOWED)


@pytest.mark.parametrize(
    "name", ["CashDispenser.Dispense", "Common.Reset", "common.status", "Auxiliaries.Register", ""]
)
def test_a_command_that_is_not_listed_cannot_be_built(name: str) -> None:
    with pytest.raises(ForbiddenCommand, match="a monitor sends only"):
        build_command(name, 1, timeout_ms=1)  # type: ignore[arg-type]


def test_commands_leave_at_one_place_and_only_built_ones() -> None:
    sends = [
        (path.name, node.attr)
        for path in sorted(Path(package.__file__).parent.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr.startswith("send")
    ]
    assert sends == [("client.py", "send_str")]


def test_the_text_of_a_command_is_what_it_says() -> None:
    frame = build_command(Command.STATUS, 7, timeout_ms=5000)
    assert json.loads(frame.text)["header"]["name"] == frame.command == "Common.Status"
