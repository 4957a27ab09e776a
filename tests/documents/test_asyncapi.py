"""The wire as ``docs/asyncapi.yaml`` describes it is the wire as the code speaks it."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from collector.lanes import backfill_filters, live_filters
from collector.settings import CollectorSettings
from contracts import senml
from contracts.devices import KINDS
from contracts.errors import ContractViolation, RefusalCode
from contracts.gateway_messages import (
    REQUEST_RANGES_LIMIT,
    DeviceEntry,
    GatewayStatus,
    Inventory,
    ResendRequest,
    parse_inventory,
    parse_status,
)
from contracts.identity import shard_of
from contracts.pack import MESSAGE_BYTES, Header, PackId, encode_pack, split_pack
from contracts.reading import Reading
from contracts.signals import DeviceKind, Signal, Sort
from contracts.topics import Channel, topic
from gateway.driver import Observation
from gateway.metrics import GatewayMetrics
from gateway.outbox import Outbox
from gateway.outbox.packing import fragments_of
from gateway.reporter import Reporter
from gateway.settings import OutboxSettings, UplinkSettings
from runtime.clock import SystemClock
from runtime.mqtt import KEEPALIVE_S

DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "docs" / "asyncapi.yaml").read_text(encoding="utf-8")
)
SCHEMAS: Final[dict[str, Any]] = DOCUMENT["components"]["schemas"]
MESSAGES: Final[dict[str, Any]] = DOCUMENT["components"]["messages"]
BRANCH: Final = "BR0421"
NOW_MS: Final = 1_795_338_918_250
BOOT: Final = "3f0c9a52-6d1e-4f0b-9a77-2f5c1e8d4b60"


def validator(name: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


PACK: Final = validator("Pack")


def examples(message: str) -> list[Any]:
    return [example["payload"] for example in MESSAGES[message]["examples"]]


def resolved(reference: str) -> Any:
    assert reference.startswith("#/")
    node: Any = DOCUMENT
    for part in reference[2:].split("/"):
        node = node[part]
    return node


def references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


# -- the document ------------------------------------------------------------------------------------------------------


def test_it_is_asyncapi_3_and_every_reference_leads_somewhere() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    found = set(references(DOCUMENT))
    assert len(found) > 20
    for reference in found:
        assert resolved(reference)


def test_every_schema_is_one() -> None:
    for name, schema in SCHEMAS.items():
        Draft7Validator.check_schema(schema)
        assert f"#/components/schemas/{name}" in set(references(DOCUMENT)), f"{name} is used nowhere"


@pytest.mark.parametrize("name", DOCUMENT["operations"])
def test_an_operation_has_a_side_a_channel_and_quality_of_service_1(name: str) -> None:
    operation = DOCUMENT["operations"][name]
    side, verb, channel = name.split("_")
    assert operation["tags"] == [{"name": side}]
    assert verb == f"{operation['action']}s"
    assert operation["channel"] == {"$ref": f"#/channels/{channel}"}
    assert operation["bindings"]["mqtt"]["qos"] == 1


def test_what_one_side_sends_the_other_receives() -> None:
    by_action: dict[str, set[tuple[str, str]]] = {"send": set(), "receive": set()}
    for name, operation in DOCUMENT["operations"].items():
        side, _, channel = name.split("_")
        by_action[operation["action"]].add((side, channel))
    other = {"gateway": "collector", "collector": "gateway"}
    assert by_action["receive"] == {(other[side], channel) for side, channel in by_action["send"]}
    assert {channel for _, channel in by_action["send"]} == set(Channel)


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize(("slot", "slots"), [(0, 1), (int(shard_of("BR0421")) % 8, 8)])
def test_a_collector_subscribes_to_what_it_is_said_to_receive(channel: Channel, slot: int, slots: int) -> None:
    chosen = CollectorSettings(slot=slot, slots=slots)
    sessions = {"": live_filters(chosen), "-backfill": backfill_filters(chosen)}
    hears = [
        name for name, filters in sessions.items() if any(matches(item, topic(BRANCH, channel)) for item in filters)
    ]
    operation = DOCUMENT["operations"].get(f"collector_receives_{channel.value}")
    said = re.findall(r"branchwatch-slot-\{slot\}(\S*?)`", operation.get("description", "")) if operation else []
    assert len(hears) == (operation is not None)
    assert said in ([], hears)


def matches(pattern: str, name: str) -> bool:
    """Whether an MQTT filter without ``#`` matches a topic."""
    pairs = zip(pattern.split("/"), name.split("/"), strict=True)
    return all(part in {"+", given} for part, given in pairs)


# -- topics ------------------------------------------------------------------------------------------------------------


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", fullmatch=True), st.sampled_from(Channel))
def test_a_topic_made_by_the_code_is_the_channels_address(branch: str, channel: Channel) -> None:
    described = DOCUMENT["channels"][channel.value]
    address = described["address"].format(shard=shard_of(branch), branch=branch)
    assert address == topic(branch, channel)
    assert set(described["parameters"]) == {"shard", "branch"}


def test_there_is_no_channel_the_code_does_not_know() -> None:
    assert set(DOCUMENT["channels"]) == set(Channel)


def test_the_examples_of_the_address_belong_together() -> None:
    parameters = DOCUMENT["components"]["parameters"]
    assert shard_of(parameters["branch"]["examples"][0]) == parameters["shard"]["examples"][0]


# -- small messages ----------------------------------------------------------------------------------------------------


def as_written(node: Any) -> Any:
    """A schema of pydantic's as AsyncAPI's dialect, JSON Schema draft 7, writes it."""
    if isinstance(node, list):
        return [as_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    names = {"prefixItems": "items"}
    out = {names.get(key, key): as_written(value) for key, value in node.items() if key != "$defs"}
    if isinstance(out.get("title"), str):
        del out["title"]
    if "$ref" in out:
        out["$ref"] = out["$ref"].replace("#/$defs/", "#/components/schemas/")
    return out


@pytest.mark.parametrize("model", [GatewayStatus, Inventory, DeviceEntry, ResendRequest])
def test_the_schema_of_a_small_message_is_its_models(model: type[BaseModel]) -> None:
    expected = as_written(model.model_json_schema())
    del expected["description"]
    assert SCHEMAS[model.__name__] == expected, "write this into docs/asyncapi.yaml:\n" + yaml.safe_dump(expected)


@pytest.mark.parametrize(
    ("message", "schema"),
    [("status", "GatewayStatus"), ("inventory", "Inventory"), ("request", "ResendRequest"), ("pack", "Pack")],
)
def test_every_example_fits_its_schema(message: str, schema: str) -> None:
    assert MESSAGES[message]["payload"] == {"$ref": f"#/components/schemas/{schema}"}
    assert examples(message)
    for example in examples(message):
        validator(schema).validate(example)


def test_the_examples_are_understood_by_the_code() -> None:
    online, will = (parse_status(json.dumps(example).encode()) for example in examples("status"))
    assert (online.online, will.online) == (True, False)
    assert (online.since, online.boot) == (will.since, will.boot)
    (inventory,) = (parse_inventory(json.dumps(example).encode(), BRANCH) for example in examples("inventory"))
    assert [device.kind for device in inventory.devices] == ["gateway", "atm", "self_service_terminal"]
    (request,) = (ResendRequest.model_validate_json(json.dumps(example)) for example in examples("request"))
    assert request.resend == ((4702, 4705), (4709, 4709))


def test_the_will_is_a_status_at_its_own_topic() -> None:
    for server in DOCUMENT["servers"].values():
        binding = resolved(server["bindings"]["$ref"])["mqtt"]
        assert binding["lastWill"]["topic"] == DOCUMENT["channels"]["status"]["address"]
        assert (binding["lastWill"]["qos"], binding["lastWill"]["retain"]) == (1, True)
        assert not parse_status(binding["lastWill"]["message"].encode()).online
        assert (binding["keepAlive"], binding["cleanSession"]) == (KEEPALIVE_S, True)


# -- packs -------------------------------------------------------------------------------------------------------------


def taken(records: list[Any]) -> tuple[Header, list[tuple[str, Any, int]]]:
    header, readings = split_pack(senml.resolve(senml.decode(json.dumps(records).encode())), BRANCH)
    return header, [(item.name, item.value, round(item.time_s * 1000)) for item in readings]


def test_the_packs_of_the_examples_say_what_they_are_said_to_say() -> None:
    live, incomplete = (taken(example) for example in examples("pack"))
    assert live == (
        Header(PackId(BRANCH, BOOT, 4711), 1_795_338_918_250),
        [
            (f"{BRANCH}/atm-01/cdm/unit1/count", 1812.0, 1_795_338_917_900),
            (f"{BRANCH}/atm-01/cdm/transport", "inoperative", 1_795_338_918_100),
        ],
    )
    assert (incomplete[0].dropped, incomplete[0].pack_id.seq) == (12, 5120)


def test_the_signals_of_the_examples_exist() -> None:
    kinds = {"atm-01": "atm", "alarm-01": "alarm_panel"}
    for example in examples("pack"):
        for name, _, _ in taken(example)[1]:
            _, device, path = name.split("/", 2)
            assert KINDS[kinds[device]].signal(path) is not None, name


def test_the_bounds_in_words_are_the_codes() -> None:
    most = UplinkSettings.model_fields["max_readings"]
    (upper,) = [item.le for item in most.metadata if hasattr(item, "le")]
    description = MESSAGES["pack"]["description"]
    assert description == f"At most {MESSAGE_BYTES} bytes and {upper} readings, {most.default} unless set otherwise."
    assert f"At most {REQUEST_RANGES_LIMIT} " in MESSAGES["request"]["description"]
    assert f"({OutboxSettings().retention_h:g} hours " in DOCUMENT["info"]["description"]


def concrete(path: str) -> str:
    return path.replace("{n}", "1").replace("{name}", "xfs").replace("{", "").replace("}", "")


def value_of(row: Signal) -> st.SearchStrategy[float | str]:
    if row.sort is Sort.EVENT:
        return st.text(min_size=1, max_size=60)
    if row.sort is Sort.STATE:
        return st.sampled_from([state.word for state in row.states])
    return st.floats(0, 1e12, allow_nan=False) | st.integers(0, 2**40).map(float)


@st.composite
def seen(draw: st.DrawFn) -> tuple[DeviceKind, list[Observation]]:
    """A kind of device, and what a driver might see of it."""
    kind = draw(st.sampled_from(list(KINDS.values())))
    rows = draw(st.lists(st.sampled_from(kind.signals), min_size=1, max_size=12))
    return kind, [Observation(concrete(row.path), draw(value_of(row))) for row in rows]


def payload_of(readings: list[Reading], seq: int, dropped: int = 0, most: int = 200) -> bytes:
    fragments = [payload for _, _, payload in fragments_of(readings, most)]
    return encode_pack(Header(PackId(BRANCH, BOOT, seq), NOW_MS, dropped), fragments)


@settings(deadline=None)
@given(seen(), st.integers(1, 2**53 - 1), st.just(0) | st.integers(1, 2**53 - 1))
def test_a_pack_of_whatever_the_gateway_reports_fits_the_schema(
    seen: tuple[DeviceKind, list[Observation]], seq: int, dropped: int
) -> None:
    kind, observations = seen
    readings = Reporter(f"{BRANCH}/device-01", kind).take(observations, NOW_MS).readings
    records = json.loads(payload_of(list(readings), seq, dropped))
    PACK.validate(records)
    header, understood = taken(records)
    assert (header.pack_id.seq, header.dropped) == (seq, dropped)
    assert [(name, value) for name, value, _ in understood] == sorted_by_rank(readings)


def sorted_by_rank(readings: Any) -> list[tuple[str, Any]]:
    """Readings in the order of a pack: events, states, numbers."""
    rank = {True: 0, False: 1}
    ordered = sorted(readings, key=lambda item: (rank[item.update_s is None], 0 if isinstance(item.value, str) else 1))
    return [(f"{item.device_id}/{item.path}", item.value) for item in ordered]


async def test_packs_of_a_real_outbox_fit_the_schema(tmp_path: Path) -> None:
    outbox = Outbox(
        tmp_path / "outbox.db", BRANCH, OutboxSettings(), SystemClock(), GatewayMetrics(CollectorRegistry()), pack_readings=3
    )  # fmt: skip
    await outbox.start()
    try:
        for number in range(10):
            reading = Reading(f"{BRANCH}/atm-01", "cdm/unit1/count", 1000.0 - number, NOW_MS + number, "count", 300)
            await outbox.store([reading], urgent=False)
        packs = await outbox.cut(everything=True)
        boot = outbox.boot
    finally:
        await outbox.stop()
    assert [pack.seq for pack in packs] == [1, 2, 3, 4]
    for pack in packs:
        payload = encode_pack(Header(PackId(BRANCH, boot, pack.seq), NOW_MS, pack.dropped), pack.fragments)
        PACK.validate(json.loads(payload))


BROKEN: Final[dict[str, tuple[Callable[[list[Any]], Any], RefusalCode]]] = {
    "no header": (lambda records: records[3:], RefusalCode.MISSING_HEADER),
    "no boot identity": (lambda records: records[1:], RefusalCode.RELATIVE_TIME),
    "no seq": (lambda records: [records[0], *records[2:]], RefusalCode.MISSING_HEADER),
    "seq 0": (lambda records: [records[0], {"n": "seq", "v": 0}, *records[2:]], RefusalCode.MISSING_HEADER),
    "half a seq": (lambda records: [records[0], {"n": "seq", "v": 1.5}, *records[2:]], RefusalCode.MISSING_HEADER),
    "seq as text": (lambda records: [records[0], {"n": "seq", "vs": "1"}, *records[2:]], RefusalCode.MISSING_HEADER),
    "two values": (lambda records: [*records, {"n": "cdm/transport", "v": 1, "vs": "ok"}], RefusalCode.VALUE_COUNT),
    "text in v": (lambda records: [*records, {"n": "cdm/transport", "v": "ok"}], RefusalCode.MALFORMED_RECORD),
    "unknown must": (lambda records: [*records, {"n": "a", "v": 1, "x_": 1}], RefusalCode.UNKNOWN_LABEL),
    "a later version": (lambda records: [*records, {"n": "a", "v": 1, "bver": 11}], RefusalCode.UNSUPPORTED_VERSION),
    "no records": (lambda _: [], RefusalCode.EMPTY_PACK),
    "no array": (lambda records: records[0], RefusalCode.NOT_AN_ARRAY),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_the_schema_refuses_the_code_refuses(how: str) -> None:
    breaking, refusal = BROKEN[how]
    records = breaking(list(examples("pack")[0]))
    assert not PACK.is_valid(records)
    with pytest.raises(ContractViolation) as caught:
        taken(records)
    assert caught.value.refusal is refusal


def test_no_number_is_written_that_json_does_not_have() -> None:
    report = Reporter(f"{BRANCH}/atm-01", KINDS["atm"]).take([Observation("cdm/unit1/count", math.inf)], NOW_MS)
    assert report.readings == ()
    assert len(report.refusals) == 1
