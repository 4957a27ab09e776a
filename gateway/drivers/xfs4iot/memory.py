"""What is known of a machine and has to be known again in the next life of the gateway."""

from collections.abc import Mapping
from typing import Protocol


class Remembered(Protocol):
    """A part of what is known. Keys are apart by their beginnings; how many there are is bounded by the part."""

    def recall(self, kept: Mapping[str, str]) -> None:
        """Go on from what was kept, where this object does not know better; keys of others are none of its business."""
        ...

    def to_keep(self) -> Mapping[str, str]:
        """All that has to be known again, key → text."""
        ...


class Memory:
    """Tells what changed of all parts since it was last written.

    Args:
        parts: what is known.
    """

    def __init__(self, *parts: Remembered) -> None:
        self._parts = parts
        self._written: dict[str, str] = {}

    def recall(self, kept: Mapping[str, str]) -> None:
        """Take what the outbox keeps."""
        self._written = dict(kept)
        for part in self._parts:
            part.recall(kept)

    def changes(self) -> dict[str, str | None]:
        """What has to be written: key → text, ``None`` to forget."""
        now: dict[str, str] = {}
        for part in self._parts:
            now.update(part.to_keep())
        forgotten: dict[str, str | None] = {key: None for key in self._written if key not in now}
        return forgotten | {key: text for key, text in now.items() if self._written.get(key) != text}

    def written(self, changes: Mapping[str, str | None]) -> None:
        """What :meth:`changes` gave is written."""
        for key, text in changes.items():
            if text is None:
                self._written.pop(key, None)
            else:
                self._written[key] = text
