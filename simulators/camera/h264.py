"""A grey H.264 picture that any decoder takes, padded to the rate an encoder would have: parameter sets, slices, filler.

Every macroblock of a key frame is predicted from nothing (Intra 16x16, DC, no residual), every later one is skipped. What
the encoder's rate control has left is filler data, as in a constant bit rate stream.

Source: ITU-T H.264, clauses 7.3 (syntax), 7.4 (semantics), 9.1 and 9.2 (codes), table 7-1 (NAL unit types).
"""

from functools import lru_cache
from typing import Final

FRAMES_A_SECOND: Final = 25
GROUP: Final = 50
"""Frames from one key frame to the next."""

MACROBLOCK: Final = 16

_BASELINE = 66
_CONSTRAINTS = 0xC0
_LEVEL = 31
_FRAME_NUMBER_BITS = 8
_FILLER = 12
_SLICE_I = 7
_SLICE_P = 5


class _Bits:
    def __init__(self) -> None:
        self._bits: list[str] = []

    def fixed(self, value: int, width: int) -> "_Bits":
        """``u(width)``."""
        self._bits.append(f"{value:0{width}b}")
        return self

    def golomb(self, *values: int) -> "_Bits":
        """``ue(v)`` each; ``se(v)`` of 0 is the same."""
        for value in values:
            code = f"{value + 1:b}"
            self._bits.append("0" * (len(code) - 1) + code)
        return self

    def raw(self, bits: str) -> "_Bits":
        self._bits.append(bits)
        return self

    def unit(self, header: int) -> bytes:
        """NAL unit: header, payload with its stop bit, and emulation prevention."""
        bits = "".join(self._bits) + "1"
        bits += "0" * (-len(bits) % 8)
        payload = int(bits, 2).to_bytes(len(bits) // 8, "big")
        escaped, zeros = bytearray([header]), 0
        for byte in payload:
            if zeros >= 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return bytes(escaped)


@lru_cache(maxsize=8)
def parameter_sets(width: int, height: int) -> tuple[bytes, bytes]:
    """Sequence and picture parameter set.

    Args:
        width: pixels, a multiple of 16.
        height: pixels, a multiple of 16.
    """
    sequence = _Bits().fixed(_BASELINE, 8).fixed(_CONSTRAINTS, 8).fixed(_LEVEL, 8)
    sequence.golomb(0, _FRAME_NUMBER_BITS - 4, 2, 1).raw("0")  # order count type 2, one reference, no gaps
    sequence.golomb(width // MACROBLOCK - 1, height // MACROBLOCK - 1).raw("1100")  # frames only, no cropping, no VUI
    picture = _Bits().golomb(0, 0).raw("00").golomb(0, 0, 0).raw("000").golomb(0, 0, 0).raw("100")
    return sequence.unit(0x67), picture.unit(0x68)


@lru_cache(maxsize=8)
def key_slice(width: int, height: int) -> bytes:
    """The picture all others repeat."""
    blocks = (width // MACROBLOCK) * (height // MACROBLOCK)
    head = _Bits().golomb(0, _SLICE_I, 0).fixed(0, _FRAME_NUMBER_BITS).golomb(0).raw("00").golomb(0, 1)
    return head.raw("00100111" * blocks).unit(0x65)  # type 3, chroma DC, no quantiser change, no coefficients


@lru_cache(maxsize=2 * GROUP)
def repeat_slice(width: int, height: int, frame_number: int) -> bytes:
    """A picture that repeats the one before; ``frame_number`` counts from 1 after the key frame."""
    blocks = (width // MACROBLOCK) * (height // MACROBLOCK)
    bits = _Bits().golomb(0, _SLICE_P, 0).fixed(frame_number, _FRAME_NUMBER_BITS).raw("000").golomb(0, 1)
    return bits.golomb(blocks).unit(0x41)


def filler(size: int) -> bytes:
    """A unit of ``size`` bytes that means nothing, at least 2."""
    return bytes([_FILLER]) + b"\xff" * (size - 2) + b"\x80"
