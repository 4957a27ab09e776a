"""Vendors' readings of the standard, each seen on the wire."""

from typing import Any

import pytest

from simulators.atm import AtmSimulator, Quirks
from simulators.world import World
from tests.simulators.atm.conftest import Serve
from tests.simulators.atm.xfs_client import Json, XfsClient, connect


async def services(client: XfsClient) -> list[str]:
    found = (await client.ask("ServicePublisher.GetServices"))["payload"]["services"]
    return [entry["serviceURI"] for entry in found]


@pytest.mark.parametrize("slash", [False, True])
async def test_service_addresses_may_end_with_a_slash(serve: Serve, slash: bool) -> None:
    async with serve(quirks=Quirks(trailing_slash=slash)) as atm, connect(atm.uri) as client:
        uris = await services(client)
        assert {uri.endswith("/") for uri in uris} == {slash}
        async with connect(uris[0]) as service:
            await service.ask("Common.Status")


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_words_may_begin_with_a_capital_letter_and_names_do_not_change(serve: Serve, major: int) -> None:
    quirks = Quirks(message_major=major, capital_enums=True)
    async with serve(quirks=quirks) as atm, connect(f"{atm.uri}/CashDispenser1", major) as client:
        status = (await client.ask("Common.Status"))["payload"]
        assert status["common"]["device"] == "Online"
        assert status["cashDispenser"]["positions"][0]["shutter"] == "Closed"
        units = (await client.ask("Storage.GetStorage"))["payload"]["storage"]
        assert (units["unit1"]["id"], units["unit1"]["status"]) == ("CAS1", "Ok")
        assert units["unit1"]["cash"]["configuration"]["cashItems"] == ["typeCNY100A"]
        assert units["unit1"]["cash"]["status"]["initial"]["typeCNY100A"]["fit"] == 2000
        await atm.inject("shutter_jam")
        error = await client.event("Common.ErrorEvent")
        assert (error["eventId"], error["action"]) == ("Hardware", "Maintenance")
        assert error["vendorDescription"].startswith("output shutter")
        assert (await client.event("CashManagement.ShutterStatusChangedEvent"))["shutter"] == "Jammed"
        interfaces = (await client.ask("Common.Capabilities"))["payload"]["interfaces"]
        assert interfaces[1]["name"] == "CashDispenser"


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_unsolicited_messages_may_be_plain_events_without_a_request(serve: Serve, major: int) -> None:
    quirks = Quirks(message_major=major, event_typed_unsolicited=True)
    async with serve(quirks=quirks) as atm, connect(f"{atm.uri}/CashDispenser1", major) as client:
        await client.ask("Common.Status")
        await atm.inject("note_jam")
        header = (await client.next())["header"]
        assert (header["type"], header["name"]) == ("event", "Common.ErrorEvent")
        assert "requestId" not in header


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_unknown_properties_and_events_surround_the_known_ones(serve: Serve, major: int) -> None:
    def numbers(node: Any) -> int:
        return sum(map(numbers, node.values())) if isinstance(node, dict) else node if isinstance(node, int) else 0

    quirks = Quirks(message_major=major, extra_properties=True)
    async with serve(quirks=quirks) as atm, connect(f"{atm.uri}/CashDispenser1", major) as client:
        completion = await client.ask("Common.Status")
        assert completion["header"]["vendorTrace"] == "7f3a"
        assert "vendorDiagnostics" in completion["payload"]
        assert completion["payload"]["common"]["vendorGrade"] == "A"
        units = (await client.ask("Storage.GetStorage"))["payload"]["storage"]
        assert units["unit1"]["vendorGrade"] == "A"
        assert set(units) == {f"unit{number}" for number in range(1, 7)}
        assert numbers(units["unit1"]["cash"]["status"]["initial"]) == 2000
        atm.machine.dispenser.hardware_error = True
        await atm.inject("shutter_jam")
        await client.event("VendorDiagnostics.TraceEvent")


async def test_an_old_peer_leaves_versions_out(serve: Serve) -> None:
    quirks = Quirks(message_major=1, version_missing=True)
    async with serve(quirks=quirks) as atm, connect(f"{atm.uri}/PinPad1", 1) as client:
        await client.send("Common.Status")
        for message in (await client.reply(), await client.reply()):
            assert "version" not in message["header"]


async def test_the_lowest_version_is_spoken_until_another_is_set_on_that_connection(serve: Serve) -> None:
    async def version(client: XfsClient) -> str:
        header: Json = (await client.ask("Common.Status"))["header"]
        return str(header["version"])

    quirks = Quirks(lowest_version_first=True)
    async with (
        serve(quirks=quirks) as atm,
        connect(f"{atm.uri}/CashDispenser1") as one,
        connect(f"{atm.uri}/CashDispenser1") as other,
    ):
        interface = (await one.ask("Common.Capabilities"))["payload"]["interfaces"][0]
        assert interface["commands"]["Common.Status"]["versions"] == ["2.0", "3.0"]
        assert await version(one) == "2.0"
        wanted = {"commands": {"Common.Status": 3}, "events": {"Common.StatusChangedEvent": 3}}
        await one.ask("Common.SetVersions", wanted)
        assert (await version(one), await version(other)) == ("3.0", "2.0")
        atm.machine.dispenser.hardware_error = True
        await atm.inject("shutter_jam")
        told = []
        for client in (one, other):
            while (message := await client.next())["header"]["name"] != "Common.StatusChangedEvent":
                continue
            told.append(message["header"]["version"])
        assert told == ["3.0", "2.0"]


async def test_services_may_be_told_in_events_before_an_empty_completion(serve: Serve) -> None:
    async with serve(quirks=Quirks(services_by_event=True)) as atm, connect(atm.uri) as client:
        assert await services(client) == []
        assert {event["header"]["name"] for event in client.events} == {"ServicePublisher.ServiceDetailEvent"}
        assert (
            next(event["payload"]["services"][0]["serviceURI"] for event in client.events)
            == f"{atm.uri}/CashDispenser1"
        )
        assert {event["header"]["requestId"] for event in client.events} == {1}


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_retracted_receipts_are_counted_where_the_format_has_them(serve: Serve, major: int) -> None:
    async with (
        serve(quirks=Quirks(message_major=major)) as atm,
        connect(f"{atm.uri}/ReceiptPrinter1", major) as client,
    ):
        for _ in range(41):
            atm.machine.printer.media = "present"
            atm.machine.printer.retract()
        status = (await client.ask("Common.Status"))["payload"]["printer"]
        if major == 1:
            assert status["retractBins"] == [{"state": "high", "count": 41}]
            assert (await client.ask("Storage.GetStorage"))["payload"]["completionCode"] == "invalidCommand"
        else:
            assert "retractBins" not in status
            unit = (await client.ask("Storage.GetStorage"))["payload"]["storage"]["unitRETRACT"]
            assert unit["printer"]["status"] == {"index": 1, "initial": 0, "in": 41, "replenishmentStatus": "high"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"message_major": 4}, "message_major 4"),
        ({"message_major": 2, "version_missing": True}, "version_missing"),
        ({"message_major": 1, "lowest_version_first": True}, "lowest_version_first"),
    ],
)
def test_a_quirk_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AtmSimulator("atm-01", World(), 0, quirks=Quirks(**options))
