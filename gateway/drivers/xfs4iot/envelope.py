"""The frames of XFS4IoT without I/O: what may be sent, and what came in.

Message majors 1 (release 2021-1), 2 and 3 differ in where header facts stand; a reader that looks in both places needs no
mode. Rules for a tolerant reader:

1. ``unsolicited``, or ``event`` without a request id, is an unsolicited event.
2. The completion code is the header's, else the payload's, else ``success``.
3. Unknown properties and words pass.
4. Names of interfaces compare without regard to case.
5. ``null``, missing and the words for "not there" are the same (:mod:`.properties`).

Source: XFS4IoT (CEN CWA) message format 1.0 and 2.0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from contracts.errors import BranchwatchError, DeviceMisbehaved


class Command(StrEnum):
    """All that this driver may ever send. Each reads; none moves, opens, dispenses, resets or configures anything."""

    GET_SERVICES = "ServicePublisher.GetServices"
    CAPABILITIES = "Common.Capabilities"
    SET_VERSIONS = "Common.SetVersions"  # chooses the form of replies on this connection, touches no device
    STATUS = "Common.Status"
    GET_STORAGE = "Storage.GetStorage"


class ForbiddenCommand(BranchwatchError):  # noqa: N818  (a command is forbidden; nothing of the device failed)
    """Somebody tried to build a command that a monitor must never send: a programming error."""

    code = "forbidden_command"


class MessageType(StrEnum):
    """Types of message that a service sends."""

    ACKNOWLEDGE = "acknowledge"
    EVENT = "event"
    COMPLETION = "completion"
    UNSOLICITED = "unsolicited"


OLD_MAJOR: Final = 1
"""Message major of release 2021-1: timeout and completion code stand in the payload."""

_VERSION = re.compile(r"([1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}\.[A-Za-z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A command ready to be sent; only :func:`build_command` makes them."""

    command: Command
    request_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a service said.

    Attributes:
        type: type after rule 1.
        name: ``Interface.Message`` as sent.
        major: major of the message's version, ``None`` where it has none.
        request_id: the command it belongs to, ``None`` for unsolicited events.
        status: verdict of an acknowledge, ``ok`` where accepted.
        completion_code: result of a completion after rule 2.
        error: description of a failure, empty where none.
        payload: the payload, empty where none.
        raw: the frame.
    """

    type: MessageType
    name: str
    major: int | None
    request_id: int | None
    status: str
    completion_code: str
    error: str
    payload: Mapping[str, Any]
    raw: str = field(repr=False)

    @property
    def short_name(self) -> str:
        """Message without its interface, in lower case and without the word Event: ``statuschanged``."""
        return self.name.partition(".")[2].lower().removesuffix("event")

    @property
    def is_old(self) -> bool:
        """Whether the sender speaks message major 1."""
        return self.major == OLD_MAJOR or (self.major is None and "completionCode" in self.payload)


def build_command(
    command: Command,
    request_id: int,
    *,
    timeout_ms: int,
    major: int = 2,
    version: str | None = None,
    payload: Mapping[str, Any] | None = None,
) -> Frame:
    """Write a command.

    Args:
        command: which one; nothing but the members of :class:`Command` is possible.
        request_id: from 1, unique on its connection.
        timeout_ms: time the service may take.
        major: message major to write; 1 puts the timeout into the payload.
        version: version of this command's message, ``None`` for the lowest of the major.
        payload: the command's own properties.

    Raises:
        ForbiddenCommand: ``command`` is not on the list.
    """
    try:
        allowed = Command(command)
    except ValueError as error:
        raise ForbiddenCommand(
            f"{command!r} was about to be sent to a device: a monitor sends only {', '.join(Command)}"
        ) from error
    header: dict[str, Any] = {
        "type": "command",
        "name": allowed.value,
        "version": version or f"{major}.0",
        "requestId": request_id,
    }
    message: dict[str, Any] = {"header": header}
    content = dict(payload or {})
    if major == OLD_MAJOR:
        content["timeout"] = timeout_ms
    else:
        header["timeout"] = timeout_ms
    if content:
        message["payload"] = content
    return Frame(allowed, request_id, msgspec.json.encode(message).decode())


def parse_message(raw: str) -> Message:
    """Read a frame.

    Raises:
        DeviceMisbehaved: not JSON, or not a message; says what was expected.
    """
    try:
        frame = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DeviceMisbehaved(f"frame is not JSON: {error}") from error
    header = frame.get("header") if isinstance(frame, dict) else None
    if not isinstance(header, dict):
        raise DeviceMisbehaved("frame: expected an object with a header object")
    payload = frame.get("payload")
    if payload is None:
        payload = {}
    if not isinstance(payload, dict):
        raise DeviceMisbehaved(f"payload: expected an object, got {type(payload).__name__}")
    name = header.get("name")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise DeviceMisbehaved(f"header.name: expected Interface.Message, got {_shown(name)}")
    request_id = _request_id(header.get("requestId"))
    type_ = _type(header.get("type"), request_id)
    if type_ in {MessageType.ACKNOWLEDGE, MessageType.COMPLETION} and request_id is None:
        raise DeviceMisbehaved(f"{name}: a message of type {type_} needs header.requestId")
    return Message(
        type=type_,
        name=name,
        major=_major(header.get("version")),
        request_id=request_id,
        status=_text(header, payload, "status", "ok"),
        completion_code=_text(header, payload, "completionCode", "success"),
        error=_text(header, payload, "errorDescription", ""),
        payload=payload,
        raw=raw,
    )


def major_of(version: object) -> int | None:
    """Major of a version text such as ``2.1``; ``None`` where it is not one."""
    return _major(version)


def _type(value: object, request_id: int | None) -> MessageType:
    try:
        type_ = MessageType(value.lower()) if isinstance(value, str) else None
    except ValueError:
        type_ = None
    if type_ is None:
        raise DeviceMisbehaved(f"header.type: expected one of {', '.join(MessageType)}, got {_shown(value)}")
    return MessageType.UNSOLICITED if type_ is MessageType.EVENT and request_id is None else type_


def _request_id(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DeviceMisbehaved(f"header.requestId: expected a whole number from 1, got {_shown(value)}")
    return value or None  # some services write 0 for none


def _major(value: object) -> int | None:
    match = _VERSION.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else None


def _text(header: Mapping[str, Any], payload: Mapping[str, Any], key: str, default: str) -> str:
    for value in (header.get(key), payload.get(key)):
        if isinstance(value, str) and value:
            return value[:512]
    return default


def _shown(value: object) -> str:
    return repr(value)[:80]
