"""Identities under which the store keeps what is no pack of a gateway: released records, and packs that were refused whole.

They stand beside the gateways' own (branch, boot, seq). Their boot identities begin with ``*``, which no gateway's may have.
"""

from typing import Final

from contracts.pack import PackId

_OWN: Final = "*"

_RELEASED: Final = f"{_OWN}quarantine:"
_REFUSED: Final = f"{_OWN}refused:"


def released_as(branch_id: str, quarantine: str, entry_id: int) -> PackId:
    """Identity under which the store takes records that come out of quarantine, once.

    Args:
        branch_id: their gateway's branch.
        quarantine: which quarantine numbered the entry; another ops database numbers from 1 again.
        entry_id: its number there.
    """
    return PackId(branch_id, _RELEASED + quarantine, entry_id)


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
