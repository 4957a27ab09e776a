"""The API over a real server: what comes in over MQTT is seen, and commands change it."""

import asyncio
import json
from typing import Any

import pytest

from contracts.signals import Condition
from tests.console.house import ATM, BRANCH, House, atm


async def test_a_device_is_listed_with_its_health_and_readings(house: House) -> None:
    branch = house.branch()
    await branch.announce(atm(), atm("atm-02"))
    await branch.report("atm-01", link__state="up", cdm__device="online", cdm__unit1__count=1423)
    await branch.report("atm-02", link__state="down")
    listed = await house.wait_for("devices", lambda page: page["items"] and page["items"][1]["observed_at_ms"])
    by_id = {item["device_id"]: item for item in listed["items"]}
    assert list(by_id) == [ATM, f"{BRANCH}/atm-02", f"{BRANCH}/gateway"]
    assert by_id[ATM]["health"] == {"condition": "ok", "reason": "all_well", "path": ""}
    assert by_id[f"{BRANCH}/atm-02"]["health"]["reason"] == "unreachable"
    readings = await house.get(f"devices/{ATM}/readings")
    assert [item["path"] for item in readings["items"]] == ["cdm/device", "cdm/unit1/count", "link/state"]
    assert {key: readings["items"][0][key] for key in ("word", "condition", "unit", "stale", "name_zh")} == {
        "word": "online", "condition": "ok", "unit": None, "stale": False, "name_zh": "模块状态",
    }  # fmt: skip
    assert readings["items"][1]["value"] == 1423
    detail = await house.get(f"devices/{ATM}")
    assert (detail["serial"], detail["kind_zh"]) == ("S-1", "自动柜员机")
    assert {item["name"]: item["state"] for item in detail["functions"]} == {"withdrawal": "available"}


async def test_a_device_id_may_come_with_its_slash_encoded(house: House) -> None:
    await house.branch().announce(atm())
    await house.branch().report("atm-01", link__state="up")
    await house.wait_for("devices", lambda page: page["items"] and page["items"][0]["observed_at_ms"])
    plain = await house.get(f"devices/{ATM}/readings")
    for encoded in (ATM.replace("/", "%2F"), ATM.replace("/", "%2f")):
        assert await house.get(f"devices/{encoded}/readings") == plain
        assert (await house.get(f"devices/{encoded}"))["device_id"] == ATM


async def test_devices_are_filtered_and_paged(house: House) -> None:
    await house.branch("BR0001").announce(atm("atm-01"), atm("atm-02"))
    await house.branch("BR0002").announce(atm("atm-01"), online=False)
    await house.wait_for("devices", lambda page: len(page["items"]) == 5)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await house.get(f"devices?limit=2{cursor}")
        seen += [item["device_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["BR0001/atm-01", "BR0001/atm-02", "BR0001/gateway", "BR0002/atm-01", "BR0002/gateway"]
    atms = await house.get("devices?kind=atm&branch_id=BR0001")
    assert [item["local_id"] for item in atms["items"]] == ["atm-01", "atm-02"]
    await house.wait_for("gateways", lambda page: [item["online"] for item in page["items"]] == [True, False])
    failed = await house.get("devices?health=failed&health=degraded")
    assert [item["device_id"] for item in failed["items"]] == ["BR0002/gateway"]


async def test_history_gives_the_newest_and_says_where_the_earlier_ones_are(house: House) -> None:
    branch = house.branch()
    await branch.announce(atm())
    for age_s in (40, 30, 20, 10):
        await branch.report("atm-01", age_s * 1000, cdm__unit1__count=age_s)
    path = f"devices/{ATM}/history?path=cdm/unit1/count&from=0"
    full = await house.wait_for("gateways", lambda page: page["items"] and page["items"][0]["committed_packs"] == 4)
    full = await house.get(path)
    assert [item["value"] for item in full["items"]] == [40, 30, 20, 10]
    newest = await house.get(f"{path}&limit=3")
    assert [item["value"] for item in newest["items"]] == [30, 20, 10]
    earlier = await house.get(f"{path}&to={newest['earlier_to_ms']}")
    assert [item["value"] for item in earlier["items"]] == [40]
    assert full["earlier_to_ms"] is None
    refused = await house.get(f"devices/{ATM}/history?path=no/such&from=0", 404)
    assert refused["code"] == "not_found"


async def test_events_of_a_device_come_newest_first(house: House) -> None:
    branch = house.branch()
    await branch.announce(atm())
    for age_s, text in ((20, "hardware/clear: first"), (10, "hardware/clear: second")):
        await branch.report("atm-01", age_s * 1000, cdm__error=text)
    found = await house.wait_for("gateways", lambda page: page["items"] and page["items"][0]["committed_packs"] == 2)
    found = await house.get(f"devices/{ATM}/events")
    assert [item["text"] for item in found["items"]] == ["hardware/clear: second", "hardware/clear: first"]


async def test_a_fault_is_acknowledged_once_and_says_by_whom(house: House) -> None:
    fault = await house.jammed_atm()
    assert (fault["state"], fault["severity"], fault["title_zh"]) == ("unacknowledged", "major", "出钞卡钞")
    device = await house.get(f"devices/{ATM}")
    assert device["faults"] == {"active": 1, "unacknowledged": 1, "worst_severity": "major"}
    assert device["health"]["condition"] == Condition.FAILED
    path = f"faults/{fault['id']}/acknowledge"
    done = await house.post(path, {"actor": "张颖", "comment": "seen"})
    assert (done["state"], done["acknowledged_by"]) == ("acknowledged", "张颖")
    again = await house.post(path, {}, 409)
    assert again["code"] == "fault_transition_not_allowed"
    assert (await house.post(f"faults/{fault['id']}/reset", {}, 409))["code"] == "fault_transition_not_allowed"
    assert (await house.get("faults?state=unacknowledged"))["items"] == []
    assert [item["id"] for item in (await house.get(f"faults?device_id={ATM}"))["items"]] == [fault["id"]]
    assert (await house.get(f"faults/{fault['id']}"))["acknowledge_comment"] == "seen"


async def test_standing_faults_page_over_active_and_returned_ones(house: House) -> None:
    branch = house.branch()
    names = [f"atm-{number:02d}" for number in range(1, 6)]
    await branch.announce(*(atm(name) for name in names))
    for name in names:
        await branch.report(name, 2000, link__state="up", cdm__transport="inoperative")
    await house.wait_for("faults?rule_id=atm.cdm.jam", lambda page: len(page["items"]) == 5)
    await branch.report("atm-02", cdm__transport="ok")
    await house.wait_for("faults?state=active", lambda page: len(page["items"]) == 4)
    seen: list[int] = []
    cursor = ""
    while True:
        page = await house.get(f"faults?limit=2{cursor}")
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


async def order_of(house: House) -> Any:
    await house.jammed_atm()
    found = await house.wait_for("work-orders?open=true", lambda page: page["items"])
    return found["items"][0]


async def test_a_work_order_moves_by_commands_and_keeps_its_history(house: House) -> None:
    order = await order_of(house)
    path = f"work-orders/{order['id']}"
    assert "triage" in order["allowed_commands"]
    steps: list[tuple[str, dict[str, str]]] = [
        ("triage", {}), ("offer", {"assignee": "李伟"}), ("accept", {}), ("pause", {"pause_reason": "parts"}),
    ]  # fmt: skip
    revision = order["revision"]
    for number, (command, more) in enumerate(steps):
        body = {"command": command, "expected_revision": revision, "command_id": f"command-{number}", **more}
        order = await house.post(f"{path}/commands", body)
        revision = order["revision"]
    assert (order["state"], order["assignee"], order["pause_reason"]) == ("paused", "李伟", "parts")
    detail = await house.get(path)
    assert [entry["command"] for entry in detail["history"]] == [None, "triage", "offer", "accept", "pause"]
    assert detail["history"][1]["actor"] == "operator"
    assert len(detail["fault_ids"]) == 1
    assert (await house.get("work-orders?state=new&state=triaged"))["items"] == []
    assert len((await house.get("work-orders?state=paused"))["items"]) == 1
    assert (await house.get("work-orders?open=false"))["items"] == []
    assert (await house.get("work-orders?open=false&state=paused"))["items"] == []


async def test_a_command_is_idempotent_by_its_id_and_refused_on_an_old_revision(house: House) -> None:
    order = await order_of(house)
    path = f"work-orders/{order['id']}/commands"
    body = {"command": "triage", "expected_revision": order["revision"], "command_id": "the-same-id"}
    first = await house.post(path, body)
    assert await house.post(path, body) == first
    stale = {**body, "command": "cancel", "reason": "no", "command_id": "another-id"}
    assert (await house.post(path, stale, 409))["code"] == "revision_conflict"
    wrong = {**body, "command": "arrive", "command_id": "third-command", "expected_revision": first["revision"]}
    assert (await house.post(path, wrong, 409))["code"] == "command_not_allowed"
    lacking = {**wrong, "command": "offer", "command_id": "fourth-command"}
    assert (await house.post(path, lacking, 409))["code"] == "command_incomplete"
    reused = {**lacking, "command_id": "the-same-id"}
    assert (await house.post(path, reused, 409))["code"] == "command_id_reused"
    assert (await house.post("work-orders/999/commands", body, 404))["code"] == "not_found"


async def test_what_the_intake_refused_is_shown_with_its_bytes_and_counts(house: House) -> None:
    branch = house.branch()
    await branch.send_raw(b"\xff not json")
    await branch.send_raw(b'{"not": "an array"}')
    found = await house.wait_for("quarantine", lambda page: len(page["items"]) == 2)
    assert [item["code"] for item in found["items"]] == ["not_an_array", "not_json"]
    assert {(count["code"], count["refused"]) for count in found["counts"]} == {("not_an_array", 1), ("not_json", 1)}
    text, raw = [await house.get(f"quarantine/{item['id']}") for item in found["items"]]
    assert text["payload_text"] == '{"not": "an array"}'
    assert raw["payload_text"] is None
    assert raw["payload_base64"] == "/yBub3QganNvbg=="
    only = await house.get("quarantine?code=not_json&limit=1")
    assert [item["id"] for item in only["items"]] == [raw["id"]]
    assert (await house.get("quarantine/12345", 404))["code"] == "not_found"


async def test_gateways_are_listed_with_what_arrived(house: House) -> None:
    branch = house.branch()
    await branch.announce(atm())
    await branch.report("atm-01", link__state="up")
    found = await house.wait_for(
        "gateways", lambda page: page["items"] and page["items"][0]["online"] and page["items"][0]["last_seq"]
    )
    gateway = found["items"][0]
    assert (gateway["branch_id"], gateway["committed_packs"], gateway["boot"]) == (BRANCH, 1, f"boot-of-{BRANCH}")


async def test_the_event_stream_resumes_after_the_last_event_seen(house: House) -> None:
    fault = await house.jammed_atm()
    await house.wait_for("work-orders", lambda page: page["items"])

    async def read(headers: dict[str, str], query: str, until: str) -> list[Any]:
        out: list[Any] = []
        url = f"{house.console.url}/api/v1/events{query}"
        async with asyncio.timeout(10), house.http.get(url, headers=headers) as response:
            assert response.content_type == "text/event-stream"
            async for line in response.content:
                if line.startswith(b"data: "):
                    out.append(json.loads(line.removeprefix(b"data: ")))
                    if out[-1]["type"] == until:
                        return out
        return out

    first = await read({}, "?after=0", "work_order.opened")
    ids = [event["id"] for event in first]
    assert ids == sorted(set(ids))
    assert "fault.raised" in [event["type"] for event in first]
    await house.post(f"faults/{fault['id']}/acknowledge", {})
    rest = await read({"Last-Event-ID": str(ids[-1])}, "?after=0", "fault.acknowledged")
    assert not set(ids) & {event["id"] for event in rest}
    assert rest[-1]["subject"] == f"fault/{fault['id']}"
    everything = await read({}, "?after=0", "fault.acknowledged")
    assert [event["id"] for event in everything] == ids + [event["id"] for event in rest]


@pytest.mark.parametrize("header", ["abc", "-1", "1e3", "9" * 30])
async def test_a_last_event_id_that_is_none_of_ours_is_refused(house: House, header: str) -> None:
    async with house.http.get(f"{house.console.url}/api/v1/events", headers={"Last-Event-ID": header}) as response:
        assert response.status == 422
        assert (await response.json(content_type=None))["errors"][0]["where"] == "header.Last-Event-ID"
