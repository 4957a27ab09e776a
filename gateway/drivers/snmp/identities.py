"""What the printer and the power supply say they are.

The device's own identity is the terminal's, so a printer or a supply that was exchanged shows as the ``link/identity`` event
and not as another terminal.
"""

from collections.abc import Mapping
from typing import Final

from gateway.driver import Observation
from gateway.drivers.snmp import memory

_TEXT_MOST: Final = 128


class Identities:
    """Remembers what was said; shared by the readers of one driver."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def recall(self, kept: Mapping[str, str]) -> None:
        """Go on with what is on disk."""
        self._said = dict(memory.read(kept, memory.IDENTITIES, memory.IdentityMemory).said)

    def to_keep(self) -> dict[str, str]:
        """What must outlive the process."""
        return {memory.IDENTITIES: memory.IdentityMemory(said=self._said).model_dump_json()}

    def said(self, what: str, text: str) -> list[Observation]:
        """Note what an agent says; an event where it said something else before.

        Args:
            what: ``printer serial``.
            text: what it says, empty for nothing, which changes nothing.
        """
        before, now = self._said.get(what, ""), text[:_TEXT_MOST]
        if not now or now == before:
            return []
        self._said[what] = now
        return [Observation("link/identity", f"{what}: {before} -> {now}")] if before else []
