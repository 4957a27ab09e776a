"""MQTT topics: ``branchwatch/v1/{shard}/{branch}/{channel}``."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.errors import ContractViolation, RefusalCode
from contracts.identity import is_branch_id, shard_of

PREFIX: Final = "branchwatch/v1"


class Channel(StrEnum):
    """What a topic carries."""

    TELEMETRY = "telemetry"  # up: SenML pack, the live stream
    BACKFILL = "backfill"  # up: SenML pack, older than the live stream
    STATUS = "status"  # up, retained: online or not; also the will
    INVENTORY = "inventory"  # up, retained: devices behind the gateway
    REQUEST = "request"  # down: packs to send again


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic."""

    branch_id: str
    channel: Channel


def topic(branch_id: str, channel: Channel) -> str:
    """Build the topic of a branch."""
    return f"{PREFIX}/{shard_of(branch_id)}/{branch_id}/{channel}"


def every_branch(channel: Channel, shard: str = "+") -> str:
    """Build the filter that matches a channel of all branches, of one shard or of every shard."""
    return f"{PREFIX}/{shard}/+/{channel}"


def parse(name: str) -> Topic:
    """Take a topic apart.

    Raises:
        ContractViolation: ``bad_topic`` where it is not ours, or names a shard that is not its branch's.
    """
    parts = name.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != PREFIX:
        raise ContractViolation(
            RefusalCode.BAD_TOPIC, f"{name!r}: expected {PREFIX}/{{shard}}/{{branch}}/{{channel}}"
        )  # fmt: skip
    _, _, shard, branch_id, channel = parts
    if not is_branch_id(branch_id):
        raise ContractViolation(RefusalCode.BAD_TOPIC, f"{name!r}: {branch_id!r} cannot name a branch")
    if channel not in set(Channel):
        raise ContractViolation(
            RefusalCode.BAD_TOPIC, f"{name!r}: channel {channel!r}, expected one of {', '.join(Channel)}"
        )  # fmt: skip
    if shard != shard_of(branch_id):
        raise ContractViolation(
            RefusalCode.BAD_TOPIC, f"{name!r}: shard {shard!r}, expected {shard_of(branch_id)} for {branch_id}"
        )  # fmt: skip
    return Topic(branch_id, Channel(channel))
