"""Two gateways of one branch at one broker: the cause is named, the broker is left in peace, and the survivor goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.outbox import Outbox
from gateway.rivalry import SHORT_S, SUSPICIOUS_FROM, Rivalry
from gateway.uplink import Uplink
from runtime.mqtt import MqttClient
from runtime.settings import BrokerSettings
from runtime.supervisor import Backoff
from tests.gateway.core.test_uplink import QUICK, running, statuses, until
from tests.gateway.core.wire import BRANCH, Listener, new_outbox, reading


def test_waits_grow_with_every_connection_that_does_not_live() -> None:
    rivalry = Rivalry(Backoff(2, 30))
    assert [rivalry.lost(0.5) for _ in range(8)] == [0, 0, 2, 4, 8, 16, 30, 30]
    assert rivalry.short_in_a_row == 8


def test_a_connection_that_lived_ends_the_suspicion() -> None:
    rivalry = Rivalry()
    assert [rivalry.lost(lasted_s) for lasted_s in (1, 1, SHORT_S, 1, 1)] == [0, 0, 0, 0, 0]
    assert rivalry.lost(1) > 0
    rivalry.lived()
    assert rivalry.lost(1) == 0


def test_the_peace_that_a_rival_grants_while_it_holds_off_is_no_end_of_the_rivalry() -> None:
    one, other = Rivalry(), Rivalry()
    lasted_s, held_off = 0.0, 0
    for _ in range(20):  # each in turn takes the connection when its wait is over
        lasted_s = one.lost(lasted_s + 0.5)
        one, other = other, one
        held_off += lasted_s > 0
    assert held_off >= 20 - 2 * SUSPICIOUS_FROM
    assert one.short_in_a_row >= 8


class Recorder:
    """Takes the place of a logger."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def warning(self, text: str, **values: Any) -> None:
        self.said.append(("warning", text, values))

    def error(self, text: str, **values: Any) -> None:
        self.said.append(("error", text, values))

    def accusations(self) -> list[dict[str, Any]]:
        return [
            values for level, text, values in self.said if level == "error" and "another client use this id" in text
        ]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Outbox]:
    made = new_outbox(path, pack_readings=3)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def test_a_second_gateway_of_the_branch_is_named_and_what_is_left_goes_on_when_it_ends(
    broker: BrokerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fight(broker, tmp_path, monkeypatch)


async def test_a_foreign_broker_lets_two_gateways_fight_alike(
    mosquitto: BrokerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fight(mosquitto, tmp_path, monkeypatch)


async def fight(at: BrokerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Recorder()
    monkeypatch.setattr("gateway.uplink._log", log)
    monkeypatch.setattr("gateway.uplink.Rivalry", lambda: Rivalry(Backoff(2, 2)))
    async with (
        opened(tmp_path / "one.db") as ours,
        opened(tmp_path / "other.db") as theirs,
        running(at, ours) as uplink,
    ):
        await until(lambda: uplink.is_connected)
        async with running(at, theirs) as rival:
            await until(lambda: len(log.accusations()) >= 2, timeout_s=60)
            before = uplink.sessions + rival.sessions
            await asyncio.sleep(1.5)
            assert uplink.sessions + rival.sessions - before <= 3, "both hold off"
        said = log.accusations()[0]
        assert (said["branch_id"], said["client_id"]) == (BRANCH, f"branchwatch-gateway-{BRANCH}")
        assert said["in_a_row"] >= SUSPICIOUS_FROM
        async with Listener(at) as listener:
            await ours.store([reading(1)], urgent=True)
            await listener.until(lambda: any("idc/insertions" in name for name in names(listener)), timeout_s=60)
            await until(lambda: uplink.is_connected, timeout_s=60)


async def test_a_gateway_that_is_stopped_while_it_holds_off_sends_what_it_has(
    broker: BrokerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Recorder()
    monkeypatch.setattr("gateway.uplink._log", log)
    async with Listener(broker) as listener, opened(tmp_path / "one.db") as ours:
        async with running(broker, ours) as uplink:
            await taken_away(broker, uplink, log)
            await ours.store([reading(1)], urgent=True)
        await listener.until(lambda: any("idc/insertions" in name for name in names(listener)))
        await listener.until(lambda: not statuses(listener)[-1])
        assert (await ours.statistics()).pending_readings == 0


async def test_a_gateway_that_is_stopped_while_a_rival_takes_every_connection_gives_up_and_keeps_its_readings(
    broker: BrokerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Recorder()
    monkeypatch.setattr("gateway.uplink._log", log)
    async with opened(tmp_path / "one.db") as ours:
        async with running(broker, ours, QUICK.model_copy(update={"stop_s": 60})) as uplink:
            await taken_away(broker, uplink, log)
            await ours.store([reading(1)], urgent=True)
            real_finish = uplink._finish

            async def finish(client: MqttClient) -> None:
                await take_away(broker)
                await until(uplink._lost.is_set)
                await real_finish(client)

            monkeypatch.setattr(uplink, "_finish", finish)
            began_s = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began_s < 30, "it does not fight for all the time it has"
        (given_up,) = [values for _, text, values in log.said if "stopped before everything" in text]
        assert given_up["error"] == "another client took the connection again"
        assert (await ours.statistics()).pending_readings == 1


async def taken_away(at: BrokerSettings, uplink: Uplink, log: Recorder) -> None:
    """Take the connection away until the uplink holds off, and leave it alone then."""
    while not log.accusations():
        await until(lambda: uplink.is_connected or bool(log.accusations()))
        sessions = uplink.sessions
        await take_away(at)
        await until(lambda: uplink.sessions > sessions or bool(log.accusations()))  # noqa: B023  (awaited here)
    await until(lambda: uplink._client is None)


async def take_away(at: BrokerSettings) -> None:
    rival = MqttClient(at, f"branchwatch-gateway-{BRANCH}")
    rival.start()
    try:
        await rival.wait_connected(10)
    finally:
        await rival.stop()


def names(listener: Listener) -> list[str]:
    return [name for pack in listener.packs() for name in pack.names]
