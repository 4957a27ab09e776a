"""Who may ask the camera: the digest of a WS-Security user name token, and RTSP's Digest.

Source: OASIS WS-Security UsernameToken Profile 1.1, section 3.1; RFC 2326 and RFC 2069 for RTSP without ``qop``.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from simulators.footfall.credentials import Verdict

WINDOW_MS: Final = 300_000
"""How far ``Created`` may be from the camera's clock. Source: the profile recommends five minutes."""

NONCES: Final = 2000
"""Nonces remembered; more than one client needs within the window."""

_PAIR = re.compile(r'(\w+)="?([^",]*)"?')


@dataclass(frozen=True, slots=True)
class Token:
    """A user name token as it came.

    Attributes:
        username: name.
        password: base64 of the digest.
        is_digest: says that it is a digest; plain passwords are refused.
        nonce: base64.
        created: ``xs:dateTime``.
    """

    username: str
    password: str
    is_digest: bool
    nonce: str
    created: str


class TokenGuard:
    """Checks user name tokens against one name and password.

    Args:
        username: expected name.
        password: expected password.
        remembers_nonces: each token lets in once.
    """

    def __init__(self, username: str, password: str, remembers_nonces: bool = True) -> None:
        self.username = username
        self.password = password
        self._remembers_nonces = remembers_nonces
        self._seen: OrderedDict[str, int] = OrderedDict()

    def judge(self, token: Token | None, camera_ms: int) -> Verdict:
        """Judge a token.

        Args:
            token: as it came, ``None`` where there was none.
            camera_ms: the camera's clock, milliseconds since 1970.
        """
        if token is None:
            return Verdict.MISSING
        try:
            nonce = base64.b64decode(token.nonce, validate=True)
            created_at = datetime.fromisoformat(token.created)
        except (binascii.Error, ValueError):
            return Verdict.WRONG
        if not token.is_digest or token.username != self.username or created_at.tzinfo is None or not nonce:
            return Verdict.WRONG
        secret = nonce + token.created.encode() + self.password.encode()
        expected = base64.b64encode(hashlib.sha1(secret, usedforsecurity=False).digest()).decode()
        if not hmac.compare_digest(token.password.encode(), expected.encode()):
            return Verdict.WRONG
        created_ms = int(created_at.timestamp() * 1000)
        if abs(created_ms - camera_ms) > WINDOW_MS:
            return Verdict.STALE
        if not self._remembers_nonces:
            return Verdict.WELCOME
        return self._once(token.nonce, created_ms, camera_ms)

    def _once(self, nonce: str, created_ms: int, camera_ms: int) -> Verdict:
        while self._seen and next(iter(self._seen.values())) < camera_ms - 2 * WINDOW_MS:
            self._seen.popitem(last=False)
        if nonce in self._seen:
            return Verdict.WRONG
        if len(self._seen) >= NONCES:
            self._seen.popitem(last=False)
        self._seen[nonce] = created_ms
        return Verdict.WELCOME


class StreamGuard:
    """Digest of one RTSP connection: a nonce that is good for this connection only.

    Args:
        username: expected name.
        realm: realm it names.
    """

    def __init__(self, username: str, realm: str) -> None:
        self._username = username
        self._realm = realm
        self._nonce = secrets.token_hex(16)

    @property
    def challenge(self) -> str:
        """Value of ``WWW-Authenticate``."""
        return f'Digest realm="{self._realm}", nonce="{self._nonce}"'

    def lets_in(self, authorization: str | None, method: str, target: str, password: str) -> bool:
        """Judge a request.

        Args:
            authorization: its header, ``None`` where it has none.
            method: RTSP method.
            target: URI of the request line.
            password: expected password.
        """
        scheme, _, rest = (authorization or "").partition(" ")
        if scheme.lower() != "digest":
            return False
        fields = dict(_PAIR.findall(rest))
        if (fields.get("username"), fields.get("nonce"), fields.get("uri")) != (self._username, self._nonce, target):
            return False
        secret = _md5(f"{self._username}:{self._realm}:{password}")
        expected = _md5(f"{secret}:{self._nonce}:{_md5(f'{method}:{target}')}")
        return hmac.compare_digest(fields.get("response", "").lower().encode(), expected.encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
