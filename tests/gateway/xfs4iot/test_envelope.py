"""Frames: what may be sent, and the three message majors read alike."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.drivers.xfs4iot as package
from contracts.errors import DeviceMisbehaved
from gateway.drivers.xfs4iot.envelope import Command, ForbiddenCommand, MessageType, build_command, parse_message
from tests.gateway.xfs4iot.examples import acknowledge, completion, event

ALLOWED = {
    "ServicePublisher.GetServices",
    "Common.Capabilities",
    "Common.SetVersions",
    "Common.Status",
    "Storage.GetStorage",
}


def test_commands_are_written_as_the_newer_majors_want_them() -> None:
    frame = build_command(Command.GET_SERVICES, 1, timeout_ms=5000)
    assert json.loads(frame.text) == {
        "header": {
            "type": "command",
            "name": "ServicePublisher.GetServices",
            "version": "2.0",
            "requestId": 1,
            "timeout": 5000,
        }
    }


def test_commands_of_major_1_carry_their_timeout_in_the_payload() -> None:
    frame = build_command(Command.GET_SERVICES, 1, timeout_ms=5000, major=1)
    assert json.loads(frame.text) == {
        "header": {"type": "command", "name": "ServicePublisher.GetServices", "version": "1.0", "requestId": 1},
        "payload": {"timeout": 5000},
    }


def test_the_list_of_commands_holds_the_five_that_only_read() -> None:
    assert {str(command) for command in Command} == ALLOWED


@pytest.mark.parametrize(
    "name",
    [
        "Common.Reset",
        "CashDispenser.Dispense",
        "CashDispenser.Reset",
        "Storage.StartExchange",
        "Storage.SetStorage",
        "Common.SetTransactionState",
        "Common.PowerSaveControl",
        "Common.GetCommandNonce",
        "Auxiliaries.Register",
        "common.status",
        "Common.Status ",
        "",
    ],
)
def test_a_command_that_is_not_on_the_list_cannot_be_built(name: str) -> None:
    with pytest.raises(ForbiddenCommand, match="sends only"):
        build_command(cast("Command", name), 1, timeout_ms=1000)


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][A-Za-z]+\.[A-Z][A-Za-z]+", fullmatch=True), st.integers(), st.none()))
def test_whatever_is_asked_for_only_listed_commands_are_built(name: Any) -> None:
    try:
        frame = build_command(name, 1, timeout_ms=1000, payload={"header": {"name": "Common.Reset"}})
    except ForbiddenCommand:
        assert name not in ALLOWED
    else:
        assert json.loads(frame.text)["header"]["name"] in ALLOWED


def test_one_place_of_the_driver_sends_and_it_sends_built_commands_alone() -> None:
    folder = Path(package.__file__).parent
    lines = [line for file in folder.glob("*.py") for line in file.read_text(encoding="utf-8").splitlines()]
    sending = [line.strip() for line in lines if any(word in line for word in ("send_", ".post(", ".put(", ".patch("))]
    assert sending == ["await self._socket.send_str(frame.text)"]
    assert sum("= build_command(" in line for line in lines) == 1


@pytest.mark.parametrize("major", [1, 2, 3])
def test_acknowledges_of_every_major_are_read(major: int) -> None:
    accepted = parse_message(acknowledge("Common.Status", 7, major))
    assert (accepted.type, accepted.request_id, accepted.status) == (MessageType.ACKNOWLEDGE, 7, "ok")
    refused = parse_message(acknowledge("Common.Status", 7, major, status="tooManyRequests"))
    assert refused.status == "tooManyRequests"


@pytest.mark.parametrize("major", [1, 2, 3])
def test_completions_of_every_major_are_read(major: int) -> None:
    message = parse_message(completion("Common.Status", 7, {"common": {"device": "online"}}, major))
    assert message.type is MessageType.COMPLETION
    assert (message.request_id, message.completion_code, message.major) == (7, "success", major)
    assert message.payload["common"] == {"device": "online"}
    assert message.is_old is (major == 1)


def test_an_old_peer_that_leaves_the_version_out_is_known_by_its_payload() -> None:
    message = parse_message(
        '{"header":{"type":"completion","name":"Common.Status","requestId":1},'
        '"payload":{"completionCode":"hardwareError","errorDescription":"stuck"}}'
    )
    assert message.is_old
    assert (message.completion_code, message.error) == ("hardwareError", "stuck")


def test_the_completion_code_of_the_header_wins() -> None:
    message = parse_message(
        '{"header":{"type":"completion","name":"Common.Status","requestId":1,"completionCode":"timeOut"},'
        '"payload":{"completionCode":"success"}}'
    )
    assert message.completion_code == "timeOut"


@pytest.mark.parametrize("major", [1, 2, 3])
def test_unsolicited_events_are_known_by_type_or_by_the_missing_request(major: int) -> None:
    message = parse_message(event("Common.ErrorEvent", {"eventId": "hardware"}, major))
    assert message.type is MessageType.UNSOLICITED
    assert message.short_name == "error"


def test_an_event_with_a_request_belongs_to_it() -> None:
    message = parse_message(
        '{"header":{"type":"event","name":"ServicePublisher.ServiceDetailEvent","version":"2.0","requestId":1}}'
    )
    assert (message.type, message.request_id, message.payload) == (MessageType.EVENT, 1, {})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "header object"),
        ("{}", "header object"),
        ('{"header":[]}', "header object"),
        ('{"header":{"type":"event","name":"A.B"},"payload":[]}', "payload: expected an object"),
        ('{"header":{"type":"event","name":"nothing"}}', "header.name"),
        ('{"header":{"type":"event"}}', "header.name"),
        ('{"header":{"type":"command","name":"A.B"}}', "header.type"),
        ('{"header":{"type":3,"name":"A.B"}}', "header.type"),
        ('{"header":{"type":"completion","name":"A.B"}}', "needs header.requestId"),
        ('{"header":{"type":"event","name":"A.B","requestId":"7"}}', "header.requestId"),
        ('{"header":{"type":"event","name":"A.B","requestId":true}}', "header.requestId"),
        ('{"header":{"type":"event","name":"A.B","requestId":-1}}', "header.requestId"),
    ],
)
def test_what_is_not_a_message_is_refused_with_what_was_expected(raw: str, expected: str) -> None:
    with pytest.raises(DeviceMisbehaved, match=expected):
        parse_message(raw)
