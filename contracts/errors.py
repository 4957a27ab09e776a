"""The one root of Branchwatch's errors, with a class for each party that has to act.

A message says what failed, for which id, what was expected against what came, and the next step. The ``code`` is part of
the API and stays; the text is not.
"""

from enum import StrEnum
from typing import ClassVar


class BranchwatchError(Exception):
    """Root of every error raised on purpose."""

    code: ClassVar[str] = "internal"


class ConfigurationError(BranchwatchError):
    """The operator has to change a setting; the process refuses to start."""

    code = "configuration"


class RefusalCode(StrEnum):
    """Why a message or one of its records was refused and kept in quarantine. Append only: the words are API."""

    NOT_JSON = "not_json"
    NOT_AN_ARRAY = "not_an_array"
    EMPTY_PACK = "empty_pack"
    OVERSIZED = "oversized"
    MALFORMED_RECORD = "malformed_record"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNKNOWN_LABEL = "unknown_label"
    BAD_NAME = "bad_name"
    VALUE_COUNT = "value_count"
    BAD_VALUE = "bad_value"
    RELATIVE_TIME = "relative_time"
    BAD_TIME = "bad_time"
    MISSING_HEADER = "missing_header"
    WRONG_BRANCH = "wrong_branch"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_SIGNAL = "unknown_signal"
    WRONG_TYPE = "wrong_type"
    WRONG_UNIT = "wrong_unit"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    BAD_TOPIC = "bad_topic"
    BAD_INVENTORY = "bad_inventory"
    BAD_STATUS = "bad_status"
    SEQ_REUSED = "seq_reused"  # another pack of the same boot identity and seq is stored
    NAME_CLASH = "name_clash"  # an earlier record of the pack gives the same signal another value at the same time


class ContractViolation(BranchwatchError):  # noqa: N818  (the field calls it a violation, not an error)
    """A sender broke the wire contract: quarantine the bytes, count, go on.

    Args:
        refusal: the stable reason.
        detail: what was expected against what came.
        record: index of the offending record in its pack, ``None`` where the whole message is meant.
    """

    code = "contract_violation"

    def __init__(self, refusal: RefusalCode, detail: str, record: int | None = None) -> None:
        self.refusal = refusal
        self.detail = detail
        self.record = record
        where = "" if record is None else f"record {record}: "
        super().__init__(f"{refusal}: {where}{detail}")


class DeviceError(BranchwatchError):
    """A device could not be read; the driver's supervision retries."""

    code = "device"


class DeviceUnreachable(DeviceError):  # noqa: N818
    """No connection or no answer in time."""

    code = "device_unreachable"


class DeviceRefused(DeviceError):  # noqa: N818
    """The device answered no: credentials, permissions, unsupported command."""

    code = "device_refused"


class DeviceMisbehaved(DeviceError):  # noqa: N818
    """The device answered something its protocol does not allow."""

    code = "device_misbehaved"


class DependencyUnavailable(BranchwatchError):  # noqa: N818
    """Broker, store or database does not answer: retry with back-pressure, lose nothing."""

    code = "dependency_unavailable"


class DomainError(BranchwatchError):
    """A command that the current state does not allow (HTTP 409). Subclasses set a ``code`` of their own."""

    code = "conflict"


class NotFound(DomainError):  # noqa: N818
    """The thing a command or query names does not exist (HTTP 404)."""

    code = "not_found"
