"""Encryption of DC-09: AES in CBC mode over everything behind the opening bracket.

The plain text is ``padding | data ] extended data _timestamp``; the padding stands in front, is random, and has none of the
three characters that structure what follows. The ciphertext travels as hexadecimal digits; CRC and length cover them.

The initial vector is 16 zero bytes and nothing but the timestamp's window protects against an old message sent again: that
is the standard's choice, not ours.

Source: ANSI/SIA DC-09, encryption.
"""

import re
import secrets
import string
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from contracts.errors import DeviceMisbehaved
from gateway.drivers.sia_dc09.frame import Frame, FrameError, split_content, time_of

KEY_BYTES: Final = (16, 24, 32)
"""AES-128, AES-192, AES-256."""

_BLOCK_BYTES: Final = 16
_IV: Final = bytes(_BLOCK_BYTES)
_PADDING: Final = string.ascii_letters + string.digits
_DATA_BEGINS = re.compile(rb"[|\]\[]")


class NotDeciphered(DeviceMisbehaved):
    """A message cannot be deciphered with this key."""


class PanelCipher:
    """Ciphers the messages of one panel.

    Args:
        key: 16, 24 or 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(_IV))

    def decipher(self, frame: Frame) -> Frame:
        """Read the content of an encrypted frame.

        Returns:
            The frame with its data, extended data and time in plain text.

        Raises:
            NotDeciphered: it is no ciphertext, or what comes out has not the shape of a message: another key.
        """
        try:
            ciphertext = bytes.fromhex(frame.data)
        except ValueError:
            raise _not_deciphered(frame, "its content is not hexadecimal") from None
        if not ciphertext or len(ciphertext) % _BLOCK_BYTES:
            raise _not_deciphered(frame, f"expected whole blocks of {_BLOCK_BYTES} bytes, got {len(ciphertext)}")
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(ciphertext) + decryptor.finalize()
        begin = _DATA_BEGINS.search(plain)
        if begin is None or begin.group() == b"[":
            raise _not_deciphered(frame, "the key does not fit")
        try:
            data, extra, timestamp = split_content(plain[begin.start() :])
        except FrameError:
            raise _not_deciphered(frame, "the key does not fit") from None
        if not timestamp:
            raise _not_deciphered(frame, "no time at its end, or the key does not fit")
        return replace(frame, data=data.removeprefix("|"), extra=extra, timestamp=timestamp, sent_at=time_of(timestamp))

    def encipher(self, content: str) -> str:
        """Encrypt what follows an opening bracket; ``content`` begins with ``|data]`` or, without data, with ``]``.

        Returns:
            Upper-case hexadecimal digits.
        """
        text = content.encode()
        padding = "".join(secrets.choice(_PADDING) for _ in range(-len(text) % _BLOCK_BYTES))
        encryptor = self._cipher.encryptor()
        return (encryptor.update(padding.encode() + text) + encryptor.finalize()).hex().upper()


def _not_deciphered(frame: Frame, why: str) -> NotDeciphered:
    return NotDeciphered(
        f"encrypted DC-09 message {frame.sequence} of account {frame.account} cannot be deciphered: {why}; "
        "compare the key in the panel and in the settings"
    )
