"""Encryption of DC-09: AES in CBC mode with an initial vector of zeros, written as hexadecimal digits.

Source: SIA DC-09, encrypted messages. The padding stands before the text: random printable characters, none of ``[ ] |``.
"""

import random
import string

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK_BYTES = 16
KEY_BYTES = (16, 24, 32)
"""Lengths of the keys of AES-128, AES-192 and AES-256."""

_NO_VECTOR = bytes(BLOCK_BYTES)
_PADDING = "".join(set(string.digits + string.ascii_letters + string.punctuation) - set('[]|"'))


def check_key(key: bytes) -> None:
    """Raise ``ValueError`` where a key has not 16, 24 or 32 bytes; the key itself is not told."""
    if len(key) not in KEY_BYTES:
        raise ValueError(f"key of {len(key)} bytes: expected {', '.join(map(str, KEY_BYTES))} for AES-128, 192 or 256")


def seal(text: str, key: bytes, chance: random.Random) -> str:
    """Pad and encrypt.

    Args:
        text: what follows the padding, beginning with ``|`` or ``]``.
        key: 16, 24 or 32 bytes.
        chance: source of the padding.

    Returns:
        Upper-case hexadecimal digits.
    """
    padding = "".join(chance.choices(_PADDING, k=-len(text) % BLOCK_BYTES))
    encryptor = Cipher(AES(key), CBC(_NO_VECTOR)).encryptor()
    return (encryptor.update((padding + text).encode("ascii")) + encryptor.finalize()).hex().upper()


def unseal(digits: str, key: bytes) -> str:
    """Decrypt, padding included.

    Raises:
        ValueError: these are no whole blocks, or what comes out is no text, as with another key.
    """
    sealed = bytes.fromhex(digits)
    decryptor = Cipher(AES(key), CBC(_NO_VECTOR)).decryptor()
    return (decryptor.update(sealed) + decryptor.finalize()).decode("ascii")
