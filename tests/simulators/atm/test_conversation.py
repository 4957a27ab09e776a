"""The protocol over a real WebSocket, in the three message formats."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from contracts.errors import ConfigurationError
from simulators.atm import AtmSimulator, Dialect
from simulators.world import World
from tests.simulators.atm.conftest import Serve
from tests.simulators.atm.xfs_client import XfsClient, connect

SERVICES = ["CashDispenser1", "CardReader1", "PinPad1", "ReceiptPrinter1", "Auxiliaries1", "VendorMode1", "Camera1"]
MAJORS = [1, 2, 3]


@pytest.mark.parametrize("major", MAJORS)
async def test_a_client_finds_every_service_and_its_interfaces(serve: Serve, major: int) -> None:
    async with serve(message_major=major) as atm:
        async with connect(atm.uri, major) as publisher:
            found = (await publisher.ask("ServicePublisher.GetServices"))["payload"]["services"]
        uris = [entry["serviceURI"] for entry in found]
        assert uris == [f"{atm.uri}/{name}" for name in SERVICES]
        assert uris[0].startswith("ws://127.0.0.1:")
        serials = set()
        for uri in uris:
            async with connect(uri, major) as client:
                told = (await client.ask("Common.Capabilities"))["payload"]
            assert told["interfaces"][0]["name"] == "Common"
            assert all(
                version.startswith(f"{major}." if major < 3 else ("2.", "3."))
                for interface in told["interfaces"]
                for entry in (*interface["commands"].values(), *interface["events"].values())
                for version in entry["versions"]
            )
            (information,) = told["common"]["deviceInformation"]
            serials.add(information["serialNumber"])
            assert information["firmware"][0]["firmwareVersion"] == "1.4.2"
        assert len(serials) == 7


@pytest.mark.parametrize("major", MAJORS)
async def test_status_is_written_in_the_message_format(serve: Serve, major: int) -> None:
    async with serve(message_major=major) as atm, connect(f"{atm.uri}/CashDispenser1", major) as client:
        await client.send("Common.Status")
        acknowledge, completion = await client.reply(), await client.reply()
    payload = completion["payload"]

    if major == 1:
        assert acknowledge["payload"] == {"status": "ok"}
        assert "status" not in acknowledge["header"]
        assert payload["completionCode"] == "success"
        assert payload["common"]["devicePosition"] == "notSupported"
        assert payload["cashManagement"]["safeDoor"] == "closed"
    else:
        assert "payload" not in acknowledge
        assert "status" not in acknowledge["header"]
        assert "completionCode" not in payload
        assert payload["common"]["devicePosition"] is None
        assert "safeDoor" not in payload["cashManagement"]
    assert completion["header"]["version"] == f"{major}.0"
    assert payload["common"]["device"] == "online"
    assert payload["common"]["exchange"] == "inactive"
    assert payload["cashManagement"]["dispenser"] == "ok"
    assert payload["cashDispenser"]["intermediateStacker"] == "empty"
    assert payload["cashDispenser"]["positions"] == [
        {
            "position": "outDefault",
            "shutter": "closed",
            "positionStatus": "empty",
            "transport": "ok",
            "transportStatus": "empty",
        }
    ]


@pytest.mark.parametrize("major", MAJORS)
async def test_doors_and_display_are_where_the_format_has_them(serve: Serve, major: int) -> None:
    async with serve(message_major=major) as atm, connect(f"{atm.uri}/Auxiliaries1", major) as client:
        sensors = (await client.ask("Common.Status"))["payload"]["auxiliaries"]
    assert sensors["operatorSwitch"] == "run"
    if major == 1:
        assert (sensors["displaySensor"], sensors["cabinetFrontDoor"]) == ("on", "doorNotSupported")
        assert "safeDoor" not in sensors
    else:
        assert (sensors["consumerDisplaySensor"], sensors["cabinetFrontDoor"]) == ("on", None)
        assert sensors["safeDoor"] == "locked"


@pytest.mark.parametrize(
    ("service", "interface", "expected"),
    [
        ("CardReader1", "cardReader", {"media": "notPresent", "chipPower": "noCard", "chipModule": "ok"}),
        ("PinPad1", "keyManagement", {"encryptionState": "ready", "certificateState": "primary"}),
        ("ReceiptPrinter1", "printer", {"media": "notPresent", "paper": {"upper": "full"}}),
        ("VendorMode1", "vendorMode", {"device": "online", "service": "inactive"}),
        ("VendorMode1", "vendorApplication", {"accessLevel": "notActive"}),
    ],
)
async def test_each_module_tells_its_states(
    serve: Serve, service: str, interface: str, expected: dict[str, Any]
) -> None:
    async with serve() as atm, connect(f"{atm.uri}/{service}/") as client:
        told = (await client.ask("Common.Status"))["payload"][interface]
    assert told | expected == told


def count(unit: dict[str, Any]) -> int:
    """Notes in a unit as the standard defines it: everything initial, plus in, minus out, over all sub-counts."""

    def total(node: Any) -> int:
        return sum(map(total, node.values())) if isinstance(node, dict) else int(node)

    status = unit["cash"]["status"]
    came_in = {key: value for key, value in status.get("in", {}).items() if key != "retractOperations"}
    return total(status.get("initial", {})) + total(came_in) - total(status.get("out", {}))


async def test_storage_counts_agree_with_the_model(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        for _ in range(30):
            atm.machine.dispenser.stack(40)
            atm.machine.dispenser.present()
            atm.machine.dispenser.take()
        atm.machine.dispenser.jam_notes()
        units = (await client.ask("Storage.GetStorage"))["payload"]["storage"]
        cassettes = atm.machine.dispenser.cassettes
        assert [count(units[f"unit{cassette.number}"]) for cassette in cassettes] == [box.count for box in cassettes]
        assert count(units["unit5"]) == atm.machine.dispenser.reject_bin.notes
        assert count(units["unit6"]) == 0
        assert [unit["cash"]["status"]["index"] for unit in units.values()] == [1, 2, 3, 4, 5, 6]
        assert units["unit1"]["cash"]["configuration"]["value"] == 100
        assert units["unit5"]["cash"]["configuration"]["types"] == {"reject": True}
        assert units["unit6"]["cash"]["configuration"]["types"] == {"cashOutRetract": True}


async def test_the_card_reader_tells_its_retain_bin(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CardReader1") as client:
        atm.machine.card_reader.media = "present"
        atm.machine.card_reader.retain()
        unit = (await client.ask("Storage.GetStorage"))["payload"]["storage"]["unitRETAIN"]
    assert unit["capacity"] == 40
    assert unit["card"]["status"] == {
        "initialCount": 0, "count": 1, "retainCount": 1, "replenishmentStatus": "ok",
    }  # fmt: skip


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize(
    ("service", "name", "code"),
    [
        ("CashDispenser1", "CashDispenser.Dispense", "unsupportedCommand"),
        ("CashDispenser1", "Common.NoSuchThing", "unsupportedCommand"),
        ("CashDispenser1", "Barcode.Read", "invalidCommand"),
        ("PinPad1", "Storage.GetStorage", "invalidCommand"),
    ],
)
async def test_an_unknown_command_completes_with_its_code(
    serve: Serve, major: int, service: str, name: str, code: str
) -> None:
    async with serve(message_major=major) as atm, connect(f"{atm.uri}/{service}", major) as client:
        completion = await client.ask(name)
        place = completion["payload"] if major == 1 else completion["header"]
        assert place["completionCode"] == code
        assert name in place["errorDescription"]
        assert (await client.ask("Common.Status"))["payload"]["common"]["device"] == "online"


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize(
    "frame",
    [
        "not json",
        "[" * 100_000,
        "[]",
        "{}",
        '{"header": 5}',
        '{"header": {"type": "command", "name": "Common.Status", "version": "3.0", "requestId": 0}}',
        '{"header": {"type": "command", "name": "Common.Status", "version": "3.0", "requestId": true}}',
        '{"header": {"type": "command", "name": "Status", "version": "3.0", "requestId": 4}}',
        '{"header": {"type": "command", "name": "Common.Status", "version": "03.0", "requestId": 4}}',
        '{"header": {"type": "completion", "name": "Common.Status", "version": "3.0", "requestId": 4}}',
        '{"header": {"type": "command", "name": "Common.Status", "version": "3.0", "requestId": 4}, "payload": []}',
    ],
)
async def test_a_malformed_message_is_refused_and_the_next_one_answered(serve: Serve, major: int, frame: str) -> None:
    async with serve(message_major=major) as atm, connect(f"{atm.uri}/CashDispenser1", major) as client:
        await client.send_text(frame)
        refused = await client.reply()
        assert refused["header"]["type"] == "acknowledge"
        assert (refused["payload"] if major == 1 else refused["header"])["status"] == "invalidMessage"
        assert "payload" in (await client.ask("Common.Status"))


async def test_a_binary_frame_is_refused(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.send_bytes(b"{}")
        assert (await client.reply())["header"]["status"] == "invalidMessage"


async def test_only_the_first_format_takes_commands_without_version(serve: Serve) -> None:
    frame = json.dumps({"header": {"type": "command", "name": "Common.Status", "requestId": 1}})
    async with serve(message_major=1) as atm, connect(f"{atm.uri}/PinPad1", 1) as client:
        await client.send_text(frame)
        assert (await client.reply())["payload"]["status"] == "ok"
    async with serve(message_major=2) as atm, connect(f"{atm.uri}/PinPad1", 2) as client:
        await client.send_text(frame)
        assert (await client.reply())["header"]["status"] == "invalidMessage"


async def test_a_request_id_in_use_and_too_many_requests_are_refused(serve: Serve) -> None:
    async with serve(answer_median_s=0.5) as atm, connect(f"{atm.uri}/PinPad1") as client:
        for _ in range(16):
            await client.send("Common.Status")
        await client.send("Common.Status", requestId=1)
        await client.send("Common.Status")
        replies = [await client.reply() for _ in range(18 + 16)]
    refused = [reply["header"]["status"] for reply in replies if "status" in reply["header"]]
    completed = {reply["header"]["requestId"] for reply in replies if reply["header"]["type"] == "completion"}
    assert sorted(refused) == ["invalidRequestID", "tooManyRequests"] or refused == ["invalidRequestID"]
    assert set(range(1, 17)) <= completed


async def test_versions_can_be_set_to_what_is_offered_only(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        good = {"commands": {"Common.Status": 3}, "events": {"Common.StatusChangedEvent": 3, "Common.ErrorEvent": 2}}
        assert "completionCode" not in (await client.ask("Common.SetVersions", good))["header"]
        bad = await client.ask("Common.SetVersions", {"commands": {"Common.Status": 9}})
        assert bad["header"]["completionCode"] == "invalidData"
        assert "expected one of ['3.0']" in bad["header"]["errorDescription"]
        worse = await client.ask("Common.SetVersions", {"events": [1]})
        assert worse["header"]["completionCode"] == "invalidData"


async def test_the_other_dialect_spells_out_success_and_types_its_events_plainly(serve: Serve) -> None:
    async with serve(message_major=2, dialect=Dialect.KAL) as atm:
        async with connect(atm.uri, 2) as publisher:
            completion = await publisher.ask("ServicePublisher.GetServices")
        assert completion["header"]["completionCode"] == "success"
        uri = completion["payload"]["services"][0]["serviceURI"]
        assert uri.endswith("/CashDispenser1/")
        async with connect(uri, 2) as client:
            names = [entry["name"] for entry in (await client.ask("Common.Capabilities"))["payload"]["interfaces"]]
            assert names == ["common", "cashDispenser", "cashManagement", "storage"]
            await atm.inject("shutter_jam")
            event = await client.next()
    assert event["header"] == {"type": "event", "name": "Common.ErrorEvent", "version": "2.0"}


async def test_plain_http_is_refused_and_an_unknown_service_not_found(serve: Serve) -> None:
    async with serve() as atm, ClientSession() as session:
        base = atm.uri.replace("ws:", "http:")
        for path, expected in (("", 400), ("/CashDispenser1", 400), ("/Nope1", 404), ("/ServicePublisher", 404)):
            async with session.get(base + path) as response:
                assert response.status == expected


async def test_every_connection_of_a_service_hears_its_events_and_no_other(serve: Serve) -> None:
    async with (
        serve() as atm,
        connect(f"{atm.uri}/CashDispenser1") as one,
        connect(f"{atm.uri}/CashDispenser1") as other,
        connect(f"{atm.uri}/PinPad1") as stranger,
    ):
        await asyncio.gather(*(client.ask("Common.Status") for client in (one, other, stranger)))
        await atm.inject("note_jam")
        heard = [[await client.next() for _ in range(3)] for client in (one, other)]
        await stranger.ask("Common.Status")
        assert heard[0] == heard[1]
        assert stranger.events == []


async def test_a_client_that_does_not_read_is_cut_off(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        for _ in range(600):  # two events each, in one turn of the loop, so that nothing can be sent in between
            await atm.inject("shutter_jam")
            atm.machine.dispenser.clear()
        assert await client.is_cut_off()
        assert atm.machine.witness.errors == 600


async def test_a_taken_port_is_a_configuration_error(serve: Serve) -> None:
    async with serve() as atm:
        second = AtmSimulator("atm-02", World(), atm.port)
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{atm.port}"):
            await second.start()


async def test_stopping_closes_every_connection_and_may_be_repeated(serve: Serve) -> None:
    async with serve() as atm, connect(f"{atm.uri}/CashDispenser1") as client:
        await client.ask("Common.Status")
        assert atm.clients == 1
        await atm.stop()
        assert await client.is_cut_off()
        await atm.stop()
        assert atm.clients == 0


async def test_a_crashed_service_refuses_and_the_others_go_on(serve: Serve) -> None:
    async with (
        serve() as atm,
        connect(f"{atm.uri}/ReceiptPrinter1") as printer,
        connect(f"{atm.uri}/CashDispenser1") as dispenser,
    ):
        await printer.ask("Common.Status")
        await atm.inject("service_crash")
        assert await printer.is_cut_off()
        with pytest.raises(WSServerHandshakeError, match="503"):
            async with connect(f"{atm.uri}/ReceiptPrinter1"):
                pass
        async with connect(atm.uri) as publisher:  # it stays listed: known, but not answering
            listed = (await publisher.ask("ServicePublisher.GetServices"))["payload"]["services"]
        assert len(listed) == 7
        await dispenser.ask("Common.Status")
        await atm.repair("service_crash")
        async with connect(f"{atm.uri}/ReceiptPrinter1") as again:
            await again.ask("Common.Status")


async def test_answers_take_the_time_a_machine_takes(serve: Serve) -> None:
    async def asked(client: XfsClient) -> float:
        began = asyncio.get_running_loop().time()
        await client.ask("Common.Status")
        return asyncio.get_running_loop().time() - began

    async with serve(answer_median_s=0.04) as atm, connect(f"{atm.uri}/PinPad1") as client:
        times_s = sorted([await asked(client) for _ in range(30)])
    assert 0.02 < times_s[15] < 0.2
