"""Topics, inventories and status messages at the boundary."""

import pytest

from contracts.errors import ContractViolation, RefusalCode
from contracts.gateway_messages import (
    CLOCK_TOLERANCE_MS,
    GatewayStatus,
    Inventory,
    ResendRequest,
    is_overtaken,
    parse_inventory,
    parse_status,
)
from contracts.identity import branch_of, device_id, shard_of
from contracts.topics import Channel, every_branch, parse, topic


def test_a_topic_reads_back() -> None:
    name = topic("BR0421", Channel.TELEMETRY)
    assert name == f"branchwatch/v1/{shard_of('BR0421')}/BR0421/telemetry"
    assert (parse(name).branch_id, parse(name).channel) == ("BR0421", Channel.TELEMETRY)


def test_subscriptions_cover_one_shard_or_all() -> None:
    assert every_branch(Channel.STATUS) == "branchwatch/v1/+/+/status"
    assert every_branch(Channel.BACKFILL, "07") == "branchwatch/v1/07/+/backfill"


def test_the_shard_is_fixed_for_all_time() -> None:
    assert shard_of("BR0421") == "09"  # crc32("BR0421") = 0xDE6677C9; a change would strand every queue


@pytest.mark.parametrize(
    "name",
    [
        "", "branchwatch/v1/09/BR0421", "other/v1/09/BR0421/telemetry", "branchwatch/v1/00/BR0421/telemetry",
        "branchwatch/v1/09/BR0421/weather", "branchwatch/v1/09/-bad/telemetry", "branchwatch/v1/09/BR0421/telemetry/x",
    ],
)  # fmt: skip
def test_other_topics_are_refused(name: str) -> None:
    with pytest.raises(ContractViolation) as refused:
        parse(name)
    assert refused.value.refusal is RefusalCode.BAD_TOPIC


def test_ids_are_checked_with_what_is_allowed() -> None:
    assert branch_of(device_id("BR0421", "atm-01")) == "BR0421"
    with pytest.raises(ValueError, match="expected a letter or digit"):
        device_id("BR 421", "atm-01")
    with pytest.raises(ValueError, match="expected a letter or digit"):
        device_id("BR0421", "atm/01")


INVENTORY = """{"branch_id": "BR0421", "devices": [
    {"id": "gateway", "kind": "gateway", "driver": ""}, {"id": "atm-01", "kind": "atm", "driver": "xfs", "later": 1}]}"""


def test_an_inventory_reads_and_tolerates_what_later_versions_add() -> None:
    inventory = parse_inventory(INVENTORY.encode(), "BR0421")
    assert [device.kind for device in inventory.devices] == ["gateway", "atm"]
    assert Inventory.model_validate_json(inventory.model_dump_json()) == inventory


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "message: Invalid JSON"),
        (INVENTORY.replace('"kind": "atm"', '"kind": "toaster"'), "devices.1.kind: .*unknown device kind"),
        (INVENTORY.replace('"id": "atm-01"', '"id": "gateway"'), "'gateway' is listed twice"),
        (INVENTORY.replace('"id": "gateway"', '"id": "atm-02"'), "the gateway itself is missing"),
        (INVENTORY.replace('"id": "atm-01"', '"id": "a/b"'), "devices.1.id"),
        (INVENTORY.replace('"later": 1', '"name": "a\\u0000b"'), "devices.1.name: .*printable"),
    ],
)
def test_a_bad_inventory_is_refused_with_the_place_and_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ContractViolation, match=reason) as refused:
        parse_inventory(text.encode(), "BR0421")
    assert refused.value.refusal is RefusalCode.BAD_INVENTORY


def test_an_inventory_of_another_branch_is_refused() -> None:
    with pytest.raises(ContractViolation, match="inventory of BR0421 on the topic of BR0001"):
        parse_inventory(INVENTORY.encode(), "BR0001")


def test_status_and_request_read_back() -> None:
    status = GatewayStatus(online=True, boot="0a1b", since=1_795_000_000_000, version="0.1.0")
    assert parse_status(status.model_dump_json().encode()) == status
    request = ResendRequest(boot="0a1b", resend=((3, 5), (9, 9)))
    assert ResendRequest.model_validate_json(request.model_dump_json()) == request
    with pytest.raises(ContractViolation, match=r"boot: .*A-Z"):
        parse_status(b'{"online": true, "boot": "a\\u0000", "since": 1}')
    with pytest.raises(ContractViolation, match="online"):
        parse_status(b'{"boot": "x", "since": 1}')


NOW_MS = 1_795_000_000_000
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("stamp_ms", "known_ms", "overtaken"),
    [
        (NOW_MS - 1, NOW_MS, True),
        (NOW_MS, NOW_MS, False),
        (NOW_MS + 1, NOW_MS, False),
        (NOW_MS, NOW_MS + CLOCK_TOLERANCE_MS, True),
        (NOW_MS, NOW_MS + HOUR_MS, False),
        (NOW_MS + HOUR_MS - 1, NOW_MS + HOUR_MS, True),
    ],
    ids=["older", "the same", "newer", "older, clock a little ahead", "clock put right", "older, clock still wrong"],
)
def test_a_message_made_before_the_known_one_is_overtaken_unless_that_ones_clock_was_wrong(
    stamp_ms: int, known_ms: int, overtaken: bool
) -> None:
    assert is_overtaken(stamp_ms, known_ms, NOW_MS) is overtaken
