"""Identities under which the store keeps what is no pack of a gateway: released records, and packs that were refused whole.

They stand beside the gateways' own (branch, boot, seq). Their boot identities begin with ``*``, which no gateway's may have.
"""

from typing import Final

from contracts.pack import PackId

_OWN: Final = "*"

QUARANTINE_BOOT: Final = f"{_OWN}quarantine"
"""Stands for a boot identity where records come out of quarantine."""

_REFUSED: Final = f"{_OWN}refused:"


def refused_as(pack_id: PackId) -> PackId:
    """Identity that says a pack came and was refused whole, so that nobody asks for it again.

    It is not the pack's own: a sound pack of the same seq may still come and is taken.
    """
    return PackId(pack_id.branch_id, _REFUSED + pack_id.boot, pack_id.seq)


def is_of_gateway(boot: str) -> bool:
    """Whether a boot identity is a gateway's."""
    return not boot.startswith(_OWN)


def sender_of_refused(boot: str) -> str | None:
    """Boot identity of the gateway whose pack was refused, ``None`` where ``boot`` is not one of :func:`refused_as`."""
    return boot.removeprefix(_REFUSED) if boot.startswith(_REFUSED) else None
