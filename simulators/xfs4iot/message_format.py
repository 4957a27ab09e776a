"""The XFS4IoT envelope: one JSON object a text frame, in the three message formats that are in the field."""

import json
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

from simulators.xfs4iot.quirks import Quirks

Json = dict[str, Any]

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

_WITHOUT_STATES: Final = frozenset(
    {"Common.Capabilities", "Common.SetVersions", "ServicePublisher.GetServices", "ServicePublisher.ServiceDetailEvent"}
)
_FREE_TEXT: Final = frozenset(
    {"id", "positionName", "serialNumber", "currency", "name", "vendorDescription", "to", "from", "additionalBunches"}
)
"""Properties whose text is no word of an enumeration."""


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
    """How one machine writes and reads messages on one connection.

    Args:
        quirks: the vendor's ways.
        chosen: majors the client set on this connection, by message name.
    """

    quirks: Quirks = field(default_factory=Quirks)
    chosen: tuple[tuple[str, int], ...] = ()

    @property
    def major(self) -> int:
        """Message format: 1, 2 or 3."""
        return self.quirks.message_major

    def offered(self, name: str) -> list[str]:
        """Versions of a message this machine speaks, lowest first."""
        if self.major < 3:
            return [f"{self.major}.0"]
        newest = _VERSIONS_OF_MAJOR_3.get(name, "2.0")
        return ["2.0", newest] if self.quirks.lowest_version_first and newest == "3.0" else [newest]

    def version(self, name: str) -> str:
        """Version of a message on this connection."""
        offered = self.offered(name)
        major = dict(self.chosen).get(name)
        return next((version for version in offered if version.partition(".")[0] == str(major)), offered[0])

    def with_majors(self, majors: dict[str, int]) -> Self:
        """The same format after the client has set majors by message name."""
        return replace(self, chosen=tuple(sorted((dict(self.chosen) | majors).items())))

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
        header: Json = {"type": "acknowledge", "name": name or "Common.Unknown"}
        if request_id is not None:
            header["requestId"] = request_id
        if self.major == 1:
            return self._write(header, {"status": refusal or "ok"}, plain=True)
        if refusal is not None:
            header["status"] = refusal
        return self._write(header, None)

    def complete(self, command: Command, code: Completion, description: str = "", payload: Json | None = None) -> str:
        """Write the completion of a command."""
        header: Json = {"type": "completion", "name": command.name, "requestId": command.request_id}
        result: Json = {}
        if self.major == 1 or code is not Completion.SUCCESS or self.quirks.success_spelt_out:
            result["completionCode"] = code
        if description:
            result["errorDescription"] = description
        if self.major == 1:
            return self._write(header, payload or {}, result)
        return self._write(header | result, payload)

    def unsolicited(self, name: str, payload: Json | None = None) -> str:
        """Write an event that no command asked for."""
        kind = "event" if self.quirks.event_typed_unsolicited else "unsolicited"
        return self._write({"type": kind, "name": name}, {} if payload is None and self.major == 1 else payload)

    def event(self, command: Command, name: str, payload: Json) -> str:
        """Write an event on the way to a command's completion."""
        return self._write({"type": "event", "name": name, "requestId": command.request_id}, payload)

    def _write(self, header: Json, payload: Json | None, result: Json | None = None, *, plain: bool = False) -> str:
        name = str(header["name"])
        if not self.quirks.version_missing:
            header["version"] = self.version(name)
        if self.quirks.extra_properties:
            header["vendorTrace"] = "7f3a"
        if payload is None:
            return json.dumps({"header": header})
        if not plain and name not in _WITHOUT_STATES:
            payload = self._in_the_vendors_words(name, payload)
        return json.dumps({"header": header, "payload": payload | (result or {})})

    def _in_the_vendors_words(self, name: str, payload: Json) -> Json:
        if self.quirks.capital_enums:
            payload = capitalised(payload)
        if self.quirks.extra_properties:
            payload = with_extras(payload, of_units=name.startswith("Storage."))
        return payload


def capitalised(payload: Json) -> Json:
    """A payload whose words of enumerations begin with a capital letter."""
    return {key: value if key in _FREE_TEXT else _capitalised_value(value) for key, value in payload.items()}


def _capitalised_value(value: Any) -> Any:
    if isinstance(value, dict):
        return capitalised(value)
    if isinstance(value, str):
        return value[:1].upper() + value[1:]
    if isinstance(value, list):
        return [capitalised(item) if isinstance(item, dict) else item for item in value]
    return value


def with_extras(payload: Json, *, of_units: bool) -> Json:
    """A payload with properties the standard has not.

    Args:
        payload: what the standard has.
        of_units: its innermost objects are storage units; counts in them stay as they are, because numbers among them
            would be counts.
    """
    if of_units and "storage" in payload:
        return {**payload, "storage": with_extras(payload["storage"], of_units=True), "vendorCassetteClub": True}
    extended = {
        key: {**value, "vendorGrade": "A", "vendorDetail": {"hours": [1, 2], "checked": None}}
        if isinstance(value, dict)
        else value
        for key, value in payload.items()
    }
    return extended if of_units else extended | {"vendorDiagnostics": {"fanRpm": 1200, "note": None}}
