"""The small messages between gateway and collector: inventory, status and resend request (JSON)."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.devices import KINDS
from contracts.errors import ContractViolation, RefusalCode
from contracts.identity import (
    BOOT_PATTERN,
    BRANCH_PATTERN,
    GATEWAY_DEVICE,
    LOCAL_PATTERN,
    is_boot_id,
    is_branch_id,
    is_local_device_id,
)


def _branch_id(value: str) -> str:
    if not is_branch_id(value):
        raise ValueError("expected a letter or digit, then at most 31 of A-Z a-z 0-9 _ -")
    return value


def _local_id(value: str) -> str:
    if not is_local_device_id(value):
        raise ValueError("expected a letter or digit, then at most 63 of A-Z a-z 0-9 _ . -")
    return value


def _boot_id(value: str) -> str:
    if not is_boot_id(value):
        raise ValueError("expected 1 to 64 of A-Z a-z 0-9 _ -")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("expected printable characters only")
    return value


def _kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"unknown device kind, expected one of {', '.join(KINDS)}")
    return value


BranchId = Annotated[str, AfterValidator(_branch_id), Field(json_schema_extra={"pattern": f"^{BRANCH_PATTERN}$"})]
LocalDeviceId = Annotated[str, AfterValidator(_local_id), Field(json_schema_extra={"pattern": f"^{LOCAL_PATTERN}$"})]
BootId = Annotated[str, AfterValidator(_boot_id), Field(json_schema_extra={"pattern": f"^{BOOT_PATTERN}$"})]
Text = Annotated[str, AfterValidator(_printable)]
KindName = Annotated[str, AfterValidator(_kind), Field(json_schema_extra={"enum": list(KINDS)})]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class DeviceEntry(_Message):
    """A device behind a gateway, as the gateway's settings and the device itself name it."""

    id: LocalDeviceId
    kind: KindName
    driver: Text = Field(max_length=64)
    name: Text = Field(default="", max_length=128)
    maker: Text = Field(default="", max_length=128)
    model: Text = Field(default="", max_length=128)
    serial: Text = Field(default="", max_length=128)
    firmware: Text = Field(default="", max_length=128)


Stamp = Annotated[int, Field(ge=0, lt=2**53)]


class Inventory(_Message):
    """All devices of a branch, the gateway included. It replaces the branch's earlier inventory.

    A broker may deliver an earlier one again behind it: :func:`is_overtaken` tells by ``announced_at``. One without counts
    as announced when it arrives.
    """

    branch_id: BranchId
    devices: tuple[DeviceEntry, ...]
    announced_at: Stamp | None = Field(default=None, description="milliseconds since 1970 UTC, by the gateway's clock")

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        seen: set[str] = set()
        for device in self.devices:
            if device.id in seen:
                raise ValueError(f"device {device.id!r} is listed twice")
            seen.add(device.id)
        if GATEWAY_DEVICE not in seen:
            raise ValueError(f"the gateway itself is missing: expected a device {GATEWAY_DEVICE!r}")
        return self


class GatewayStatus(_Message):
    """Whether a gateway is connected; the broker publishes the offline one as the gateway's will.

    ``since`` says which connection is meant, too: it grows from each to the next. The online status and the will of one
    connection carry the same, the time at which it was begun, so that neither an earlier connection's end nor a status
    that a broker delivers again is taken for news. An orderly goodbye carries the time at which it was said.
    """

    online: bool
    boot: BootId
    since: Stamp = Field(description="milliseconds since 1970 UTC, by the gateway's clock")
    version: Text = Field(default="", max_length=64)


CLOCK_TOLERANCE_MS: Final = 300_000
"""How far ahead of ours a gateway's clock may be before its times are not believed."""


def is_overtaken(stamp_ms: int, known_ms: int, now_ms: int) -> bool:
    """Whether a message was made before the one that is known.

    A known time far ahead of ours, which the message's own is not, is that of a clock put right since: it overtakes nothing.

    Args:
        stamp_ms: when the message was made, by the gateway's clock.
        known_ms: when the known one was made, by the same clock.
        now_ms: arrival, by our clock.
    """
    if stamp_ms >= known_ms:
        return False
    put_right = known_ms > now_ms + CLOCK_TOLERANCE_MS >= stamp_ms
    return not put_right


REQUEST_RANGES_LIMIT: Final = 1000
"""Ranges in one request; the collector asks for a tenth of it at a time."""

Seq = Annotated[int, Field(ge=1, lt=2**53)]


def _range(value: tuple[int, int]) -> tuple[int, int]:
    first, last = value
    if first > last:
        raise ValueError(f"range {first} to {last}: expected the first seq not to be above the last")
    return value


class ResendRequest(_Message):
    """Packs the collector has not got, as inclusive ranges of seq of one boot identity.

    The bounds are part of the contract: what a gateway takes from the network goes into its database.
    """

    boot: BootId
    resend: tuple[Annotated[tuple[Seq, Seq], AfterValidator(_range)], ...] = Field(max_length=REQUEST_RANGES_LIMIT)


def parse_inventory(payload: bytes, branch_id: str) -> Inventory:
    """Read an inventory that came on the topic of ``branch_id``.

    Raises:
        ContractViolation: ``bad_inventory`` or ``wrong_branch``.
    """
    try:
        inventory = Inventory.model_validate_json(payload)
    except ValidationError as error:
        raise ContractViolation(RefusalCode.BAD_INVENTORY, _first_error(error)) from error
    if inventory.branch_id != branch_id:
        raise ContractViolation(
            RefusalCode.WRONG_BRANCH, f"inventory of {inventory.branch_id} on the topic of {branch_id}"
        )
    return inventory


def parse_status(payload: bytes) -> GatewayStatus:
    """Read a status message.

    Raises:
        ContractViolation: ``bad_status``.
    """
    try:
        return GatewayStatus.model_validate_json(payload)
    except ValidationError as error:
        raise ContractViolation(RefusalCode.BAD_STATUS, _first_error(error)) from error


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "message"
    return f"{where}: {first['msg']}"
