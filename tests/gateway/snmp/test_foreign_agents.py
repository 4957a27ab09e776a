"""The driver against agents that are not ours."""

from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from contracts.devices import ATM, SELF_SERVICE_TERMINAL
from contracts.errors import ConfigurationError, DeviceRefused, DeviceUnreachable
from gateway.drivers.snmp import Settings, create
from runtime.clock import SystemClock
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.gateway.snmp.agents import (
    driver_of,
    first_poll,
    free_udp_port,
    snmpd,
    snmpsim,
    until,
)


def at(port: int, community: str, **more: object) -> dict[str, object]:
    return {"address": "127.0.0.1", "port": port, "community": community, **more}


async def test_a_windows_terminal_with_printer_and_supply(recorded: int) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    driver = driver_of(
        host=at(recorded, "windows", application="C:\\Kiosk\\kiosk.exe"),
        printer=at(recorded, "printer"),
        ups=at(recorded, "ups"),
        timeout_s=10,  # an answer that comes later is refused, which is not what this is about
    )
    expected = {
        "host/uptime": 86400.0,
        "host/reboots": 0,
        "host/cpu": 0.17,
        "host/memory_used": 0.45,
        "host/disk1/used": 0.4,
        "host/disk2/used": 0.95,
        "host/app/state": "running",
        "host/app/restarts": 0,
        "host/net1/oper_status": "up",
        "host/net1/in_rate": 0.0,
        "prs/device": "warning",
        "prs/status": "idle",
        "prs/paper": "lowPaper",
        "prs/toner": "ok",
        "prs/path": "ok",
        "prs/service": "ok",
        "prs/toner_level": 0.08,
        "prs/paper_level": 0.8,
        "prs/pages": 48211,
        "ups/source": "normal",
        "ups/battery": "normal",
        "ups/input_voltage": 231,
        "ups/battery_bad": "false",
        "link/state": "up",
    }

    def seen() -> dict[str, float | str | None]:
        return {path: sink.last(path) for path in expected}

    async with first_poll(driver, sink) as task:
        with suppress(TimeoutError):  # each agent is handed over by itself, and the figures then say what is missing
            await until(lambda: seen() == expected, task)
    assert seen() == expected
    assert float(sink.last("clock/skew") or 0) < 0  # the recording stands still
    assert sink.last("host/disk3/used") is None
    assert sink.last("host/net2/oper_status") is None
    assert sink.refused == []
    assert sink.last("link/protocol_errors") == 0


async def test_an_old_agent_gives_what_it_has_and_wrong_types_are_refused_once(recorded: int) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    driver = driver_of(
        host=at(recorded, "old-linux", application="kiosk"),
        printer=at(recorded, "quiet-printer"),
        ups=at(recorded, "ups-on-battery"),
    )
    async with first_poll(driver, sink) as task:
        await until(lambda: sink.last("link/state") == "up" and len(sink.all("host/uptime")) > 3, task)
    assert sink.last("host/net1/oper_status") == "lowerLayerDown"
    assert sink.last("host/disk1/used") == 0.5
    for absent in ("clock/skew", "host/cpu", "host/app/state", "host/memory_used", "prs/paper_level"):
        assert sink.last(absent) is None, absent
    assert (sink.last("prs/status"), sink.last("prs/paper"), sink.last("prs/toner_level")) == ("other", "ok", 0.4)
    assert (sink.last("ups/source"), sink.last("ups/battery"), sink.last("ups/input_voltage")) == ("battery", "low", 0)
    assert (sink.last("ups/battery_bad"), sink.last("ups/charger_failed")) == ("true", "true")
    assert len(sink.refused) == 2  # the date in words, the load as text
    assert {str(error).split(": ")[1] for _, error in sink.refused} == {
        "1.3.6.1.2.1.25.1.2.0",
        "1.3.6.1.2.1.25.3.3.1.2.1",
    }


async def test_a_printer_that_was_exchanged_is_an_event_of_the_terminal(recorded: int) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    sink.memory["identities"] = '{"said":{"printer serial":"VNB3K00001"}}'
    async with first_poll(driver_of(printer=at(recorded, "printer")), sink) as task:
        await until(lambda: len(sink.all("prs/device")) > 3, task)
    assert sink.all("link/identity") == ["printer serial: VNB3K00001 -> VNB3K01234"]
    assert sink.identities == []


async def test_the_watched_application_that_does_not_run_is_missing(recorded: int) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    sink.memory["host"] = '{"application_row":"7","application_restarts":2}'
    async with first_poll(driver_of(host=at(recorded, "windows", application="teller.exe")), sink):
        await until(lambda: sink.last("host/app/state") == "missing")
    assert sink.last("host/app/restarts") == 2
    async with first_poll(driver_of(host=at(recorded, "windows", application="kiosk.exe")), sink):
        await until(lambda: sink.last("host/app/restarts") == 3)
    assert sink.last("host/app/state") == "running"


async def test_uptime_that_went_back_while_the_gateway_was_down_is_a_reboot(recorded: int) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    sink.memory["host"] = '{"ticks":900000000,"at_ms":1,"reboots":4}'
    async with first_poll(driver_of(host=at(recorded, "windows")), sink):
        await until(lambda: sink.last("host/reboots") == 5)
        await until(lambda: len(sink.all("host/reboots")) > 3)
    assert set(sink.all("host/reboots")) == {5}


async def test_a_silent_agent_degrades_the_link_and_the_others_go_on(recorded: int) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    driver = driver_of(
        host=at(recorded, "windows"), ups=at(free_udp_port(), "ups"), timeout_s=0.3, retries=0, failures_to_lost=1
    )
    async with first_poll(driver, sink) as task:
        await until(lambda: sink.last("link/state") == "degraded", task)
        polls = len(sink.all("host/uptime"))
        await until(lambda: len(sink.all("host/uptime")) > polls + 3, task)
    assert sink.last("link/state") == "degraded"
    assert sink.last("ups/source") is None


async def test_a_printer_that_falls_silent_is_unknown_and_comes_back(tmp_path: Path) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    async with snmpd(tmp_path / "host") as host_port, AsyncExitStack() as stack:
        printer = AsyncExitStack()
        port = free_udp_port()
        await printer.enter_async_context(snmpsim(tmp_path / "sim", port))
        stack.push_async_callback(printer.aclose)
        driver = driver_of(host=at(host_port, "public"), printer=at(port, "printer"), timeout_s=1, retries=0)
        async with first_poll(driver, sink) as task:
            await until(lambda: sink.last("link/state") == "up", task)
            assert sink.last("prs/device") == "warning"
            await printer.aclose()
            await until(lambda: sink.last("link/state") == "degraded", task)
            assert {sink.last(f"prs/{word}") for word in ("device", "status", "paper", "toner")} == {"unknown"}
            await stack.enter_async_context(snmpsim(tmp_path / "again", port))
            await until(lambda: sink.last("link/state") == "up", task)
            await until(lambda: sink.last("prs/device") == "warning", task)
    assert sink.last("link/reconnects") == 1


async def test_all_agents_silent_is_unreachable() -> None:
    port = free_udp_port()
    driver = driver_of(host=at(port, "public"), ups=at(port, "public"), timeout_s=0.2, retries=0)
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    with pytest.raises(
        DeviceUnreachable,
        match=rf"127.0.0.1:{port}: no answer within 0.2 s; an agent says nothing to a wrong community",
    ):
        await driver.run(sink)
    assert sink.last("link/state") == "down"


async def test_a_name_nobody_knows_is_unreachable() -> None:
    with pytest.raises(DeviceUnreachable, match=r"printer\.invalid"):
        await driver_of(printer={"address": "printer.invalid", "community": "x"}).run(
            RecordingSink(SELF_SERVICE_TERMINAL)
        )


async def test_debians_agent_is_read(tmp_path: Path) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    async with (
        snmpd(tmp_path / "snmpd") as port,
        first_poll(driver_of(host=at(port, "public", application="snmpd")), sink) as task,
    ):
        await until(lambda: sink.last("host/app/state") is not None and len(sink.all("host/uptime")) > 2, task)
    assert sink.last("host/app/state") in {"running", "runnable"}
    assert float(sink.last("host/uptime") or 0) > 0
    assert abs(float(sink.last("clock/skew") or 0)) < 5
    assert 0 < float(sink.last("host/memory_used") or 0) < 1
    assert 0 < float(sink.last("host/disk1/used") or 0) < 1
    assert sink.last("host/reboots") == 0
    assert sink.refused == []


async def test_version_3_signs_and_encrypts_and_no_password_is_told(tmp_path: Path) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    user = {"username": "watch", "auth_password": "sign-me-please", "privacy_password": "hide-me-please"}
    async with snmpd(tmp_path / "snmpd") as port:
        here = {"address": "127.0.0.1", "port": port}
        async with first_poll(driver_of(host={**here, **user}), sink) as task:
            await until(lambda: len(sink.all("host/uptime")) > 3, task)
        assert sink.refused == []
        for wrong in ({"username": "watcher"}, {"auth_password": "sign-me-wrongly"}):
            driver = driver_of(host={**here, **user, **wrong})
            with pytest.raises(DeviceRefused, match="check the user") as refusal:
                await driver.run(RecordingSink(SELF_SERVICE_TERMINAL))
            assert "please" not in str(refusal.value)
            assert "wrongly" not in str(refusal.value)
        driver = driver_of(host={**here, **user, "privacy_password": "hide-me-wrongly"}, timeout_s=0.5, retries=0)
        with pytest.raises((DeviceRefused, DeviceUnreachable)):
            await driver.run(RecordingSink(SELF_SERVICE_TERMINAL))


async def test_an_agent_without_a_printer_has_no_printer_states(tmp_path: Path) -> None:
    sink = RecordingSink(SELF_SERVICE_TERMINAL)
    async with snmpd(tmp_path / "snmpd") as port:
        driver = driver_of(host=at(port, "public"), printer=at(port, "public"))
        async with first_poll(driver, sink) as task:
            await until(lambda: sink.last("link/state") == "degraded" and len(sink.all("host/uptime")) > 2, task)
    assert sink.last("prs/paper") is None
    assert any("lists no printer" in str(error) for _, error in sink.refused)


async def test_a_part_the_kind_does_not_have_refuses_the_start() -> None:
    settings = Settings.model_validate({"printer": {"address": "10.0.0.1", "community": "x"}})
    with pytest.raises(ConfigurationError, match="kind atm has no printer"):
        create(settings, ATM, SystemClock())


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ({}, "give either community"),
        ({"community": "public", "username": "watch"}, "give either community"),
        ({"username": "watch", "auth_password": "long-enough"}, "give either community"),
        ({"username": "watch", "auth_password": "short", "privacy_password": "long-enough"}, "at least 8"),
        ({"community": "public", "colour": "red"}, "Extra inputs"),
    ],
)
def test_settings_say_what_is_wrong_with_them(agent: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        Settings.model_validate({"host": {"address": "10.0.0.1", **agent}})
    assert "public" not in str(error.value)
    with pytest.raises(ValueError, match="at least one of host, printer and ups"):
        Settings.model_validate({})


def test_one_user_has_one_password_at_all_agents() -> None:
    user = {"address": "10.0.0.1", "username": "watch", "auth_password": "password-1", "privacy_password": "password-2"}
    with pytest.raises(ValueError, match="stands twice"):
        Settings.model_validate({"host": user, "ups": {**user, "privacy_password": "password-3"}})
    assert Settings.model_validate({"host": user, "ups": user}).ups is not None
