"""Names of branches, devices and series, and the shard a branch belongs to."""

import re
import zlib
from typing import Final

SHARDS: Final = 64
"""Fixed number of topic shards; a deployment groups them into slots."""

GATEWAY_DEVICE: Final = "gateway"
"""Local id of the gateway among the devices of its branch."""

BRANCH_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
BOOT_PATTERN: Final = "[A-Za-z0-9_-]{1,64}"
LOCAL_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"

_BRANCH = re.compile(BRANCH_PATTERN)
_BOOT = re.compile(BOOT_PATTERN)
_LOCAL = re.compile(LOCAL_PATTERN)


def is_branch_id(text: str) -> bool:
    """Tell whether ``text`` can name a branch: ``BR0421``."""
    return _BRANCH.fullmatch(text) is not None


def is_boot_id(text: str) -> bool:
    """Tell whether ``text`` can be a boot identity: 1 to 64 letters, digits, ``_`` and ``-``, such as a UUID."""
    return _BOOT.fullmatch(text) is not None


def is_local_device_id(text: str) -> bool:
    """Tell whether ``text`` can name a device inside its branch: ``atm-01``."""
    return _LOCAL.fullmatch(text) is not None


def device_id(branch_id: str, local_id: str) -> str:
    """Full id of a device, ``BR0421/atm-01``.

    Raises:
        ValueError: a part has characters or a length that names do not allow.
    """
    if not is_branch_id(branch_id):
        raise ValueError(f"branch id {branch_id!r}: expected a letter or digit, then at most 31 of A-Z a-z 0-9 _ -")
    if not is_local_device_id(local_id):
        raise ValueError(f"device id {local_id!r}: expected a letter or digit, then at most 63 of A-Z a-z 0-9 _ . -")
    return f"{branch_id}/{local_id}"


def branch_of(full_device_id: str) -> str:
    """Branch part of a full device id."""
    return full_device_id.partition("/")[0]


def shard_of(branch_id: str) -> str:
    """Topic shard of a branch: crc32 modulo 64 as two decimal digits."""
    return f"{zlib.crc32(branch_id.encode()) % SHARDS:02d}"
