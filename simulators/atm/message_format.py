"""The XFS4IoT envelope: one JSON object a text frame, in the three message formats that are in the field."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Json = dict[str, Any]

MESSAGE_MAJORS: Final = (1, 2, 3)

_VERSION = re.compile(r"[1-9][0-9]*\.([1-9][0-9]*|0)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*")

_VERSIONS_OF_MAJOR_3: Final = {
    "Common.Status": "3.0",
    "Common.Capabilities": "3.0",
    "Common.StatusChangedEvent": "3.0",
    "Storage.GetStorage": "2.1",
    "Storage.StorageChangedEvent": "2.1",
    "Storage.StorageThresholdEvent": "2.1",
}
"""Versions of single messages in a machine of the newest format; what is not listed stayed at 2.0."""


class Dialect(StrEnum):
    """Whose reading of the specification a machine follows."""

    STANDARD = "standard"
    KAL = "kal"  # unsolicited messages typed "event", success spelt out, camelCase interfaces, URIs with a slash


class Refusal(StrEnum):
    """Status words of an acknowledgement that ends the exchange."""

    INVALID_MESSAGE = "invalidMessage"
    INVALID_REQUEST_ID = "invalidRequestID"
    TOO_MANY_REQUESTS = "tooManyRequests"


class Completion(StrEnum):
    """Completion codes this machine uses."""

    SUCCESS = "success"
    INVALID_COMMAND = "invalidCommand"  # no such interface at this service
    UNSUPPORTED_COMMAND = "unsupportedCommand"  # the interface is there, the command is not
    INVALID_DATA = "invalidData"


@dataclass(frozen=True, slots=True)
class Command:
    """A well-formed command."""

    name: str
    request_id: int
    payload: Json


@dataclass(frozen=True, slots=True)
class Malformed:
    """A frame that is no command; what could be read of it, to name it in the acknowledgement.

    Attributes:
        name: message name, ``None`` where unreadable.
        request_id: ``None`` where unreadable.
    """

    name: str | None = None
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class MessageFormat:
    """How one machine writes and reads messages.

    Args:
        major: 1 as in release 2021-1, 2 and 3 as from 2023-2 on.
        dialect: whose reading of the specification.
    """

    major: int = 3
    dialect: Dialect = Dialect.STANDARD

    def version(self, name: str) -> str:
        """Version of a message in this format."""
        if self.major == 3:
            return _VERSIONS_OF_MAJOR_3.get(name, "2.0")
        return f"{self.major}.0"

    def read(self, frame: str) -> Command | Malformed:
        """Read a frame that a client sent.

        Releases before 2023-2 put no version into old clients' messages, so only the newer formats insist on it.
        """
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError):
            return Malformed()
        header = message.get("header") if isinstance(message, dict) else None
        if not isinstance(header, dict):
            return Malformed()
        name, request_id = header.get("name"), header.get("requestId")
        sound_name = name if isinstance(name, str) and _NAME.fullmatch(name) else None
        sound_id = request_id if type(request_id) is int and request_id >= 1 else None
        version = header.get("version")
        sound_version = _VERSION.fullmatch(version) if isinstance(version, str) else version is None and self.major == 1
        payload = message.get("payload")
        if (
            header.get("type") != "command"
            or sound_name is None
            or sound_id is None
            or not sound_version
            or not isinstance(payload, dict | None)
        ):
            return Malformed(sound_name, sound_id)
        return Command(sound_name, sound_id, payload or {})

    def acknowledge(self, name: str | None, request_id: int | None, refusal: Refusal | None = None) -> str:
        """Write an acknowledgement; with a refusal the exchange ends with it."""
        header: Json = {"type": "acknowledge", "name": name or "Common.Unknown", "version": self.version(name or "")}
        if request_id is not None:
            header["requestId"] = request_id
        if self.major == 1:
            return json.dumps({"header": header, "payload": {"status": refusal or "ok"}})
        if refusal is not None:
            header["status"] = refusal
        return json.dumps({"header": header})

    def complete(self, command: Command, code: Completion, description: str = "", payload: Json | None = None) -> str:
        """Write the completion of a command."""
        header: Json = {
            "type": "completion",
            "name": command.name,
            "version": self.version(command.name),
            "requestId": command.request_id,
        }
        result: Json = {}
        if self.major == 1 or code is not Completion.SUCCESS or self.dialect is Dialect.KAL:
            result["completionCode"] = code
        if description:
            result["errorDescription"] = description
        if self.major == 1:
            return json.dumps({"header": header, "payload": result | (payload or {})})
        message: Json = {"header": header | result}
        if payload is not None:
            message["payload"] = payload
        return json.dumps(message)

    def unsolicited(self, name: str, payload: Json | None = None) -> str:
        """Write an event that no command asked for."""
        kind = "event" if self.dialect is Dialect.KAL else "unsolicited"
        message: Json = {"header": {"type": kind, "name": name, "version": self.version(name)}}
        if payload is not None:
            message["payload"] = payload
        elif self.major == 1:
            message["payload"] = {}
        return json.dumps(message)
