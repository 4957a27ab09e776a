"""Finds DC-09 frames in a byte stream, however it is cut."""

from dataclasses import dataclass
from typing import Final

MAX_FRAME_BYTES: Final = 1024
"""Longest frame taken, without its LF and CR; a panel's frames are about 100 bytes."""

_LF: Final = b"\n"
_CR: Final = b"\r"
_SAMPLE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Junk:
    """Bytes of the stream that are no frame: a sample of them and why they were dropped."""

    sample: bytes
    why: str


class StreamSplitter:
    """Finds the frames of one connection's byte stream; holds at most one partial frame of :data:`MAX_FRAME_BYTES`."""

    def __init__(self) -> None:
        self._partial = b""
        self._in_frame = False
        self._noisy = False

    def feed(self, chunk: bytes) -> list[bytes | Junk]:
        """Take what was read next.

        Returns:
            Frames without LF and CR, and junk, in stream order. A run of junk is told once, however many reads it spans.
        """
        stream = self._partial + chunk
        self._partial = b""
        found: list[bytes | Junk] = []
        position = 0
        while position < len(stream):
            if not self._in_frame:
                start = stream.find(_LF, position)
                self._drop(found, stream[position : start if start >= 0 else None], "bytes outside a frame")
                if start < 0:
                    return found
                self._in_frame = True
                position = start + 1
            end = stream.find(_CR, position)
            stop = end if end >= 0 else len(stream)
            restart = stream.rfind(_LF, position, stop)
            if restart >= 0:
                self._drop(found, stream[position:restart], "a frame began before the one before it ended")
                position = restart + 1
            if stop - position > MAX_FRAME_BYTES:
                self._drop(found, stream[position:stop], f"a frame longer than {MAX_FRAME_BYTES} bytes")
                self._in_frame = False
                position = stop
            elif end < 0:
                self._partial = stream[position:]
                return found
            else:
                if end > position:
                    found.append(stream[position:end])
                    self._noisy = False
                self._in_frame = False
                position = end + 1
        return found

    def end(self) -> Junk | None:
        """Tell what was left of an unfinished frame when the connection ended."""
        left, self._partial, self._in_frame = self._partial, b"", False
        return Junk(left[:_SAMPLE_BYTES], "the connection ended inside a frame") if left else None

    def _drop(self, found: list[bytes | Junk], dropped: bytes, why: str) -> None:
        # Line ends between frames are a habit of some panels and no misbehaviour.
        sample = dropped.strip()[:_SAMPLE_BYTES]
        if sample and not self._noisy:
            self._noisy = True
            found.append(Junk(sample, why))
