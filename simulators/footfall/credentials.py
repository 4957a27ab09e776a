"""Who may ask the sensor: HTTP Digest (MD5, ``auth``) and Basic, both offered as the cameras do.

Source: RFC 7616 (Digest), RFC 7617 (Basic).
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runtime.clock import Clock

NONCE_LASTS_MS = 300_000
"""Age from which a nonce is stale."""

_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_NEEDED = ("username", "realm", "nonce", "uri", "response", "nc", "cnonce")


class Verdict(StrEnum):
    """Why a request is let in or not."""

    WELCOME = "welcome"
    MISSING = "missing"
    WRONG = "wrong"
    STALE = "stale"  # right, but with an old nonce: ask again with a new one


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Guard:
    """Checks requests against one name and password.

    Attributes:
        username: expected name.
        password: expected password.
        realm: realm it names.
        clock: for the age of nonces.
        basic_only: Digest is neither offered nor taken.
    """

    username: str
    password: str
    realm: str
    clock: Clock
    basic_only: bool = False
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)

    def judge(self, authorization: str | None, method: str, target: str) -> Verdict:
        """Judge a request.

        Args:
            authorization: its ``Authorization`` header, ``None`` where it has none.
            method: HTTP method.
            target: path and query as they stand in the request line.
        """
        if authorization is None:
            return Verdict.MISSING
        scheme, _, rest = authorization.partition(" ")
        match scheme.lower():
            case "basic":
                return self._judge_basic(rest)
            case "digest" if not self.basic_only:
                fields = {name: quoted or plain for name, quoted, plain in _PAIR.findall(rest)}
                return self._judge_digest(fields, method, target)
            case _:
                return Verdict.WRONG

    def challenges(self, verdict: Verdict) -> tuple[str, ...]:
        """What to offer to somebody who was not let in: values of the ``WWW-Authenticate`` headers."""
        if self.basic_only:
            return (f'Basic realm="{self.realm}"',)
        stale = ", stale=true" if verdict is Verdict.STALE else ""
        digest = f'Digest realm="{self.realm}", nonce="{self._nonce()}", algorithm=MD5, qop="auth"{stale}'
        return digest, f'Basic realm="{self.realm}"'

    def _judge_basic(self, encoded: str) -> Verdict:
        expected = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return Verdict.WELCOME if hmac.compare_digest(encoded.strip(), expected) else Verdict.WRONG

    def _judge_digest(self, fields: Mapping[str, str], method: str, target: str) -> Verdict:
        if any(name not in fields for name in _NEEDED) or fields.get("qop") != "auth":
            return Verdict.WRONG
        if fields["username"] != self.username or fields["uri"] != target:
            return Verdict.WRONG
        secret = _md5(f"{self.username}:{self.realm}:{self.password}")
        request = _md5(f"{method}:{target}")
        joined = ":".join((secret, fields["nonce"], fields["nc"], fields["cnonce"], "auth", request))
        if not hmac.compare_digest(fields["response"].lower(), _md5(joined)):
            return Verdict.WRONG
        return Verdict.WELCOME if self._is_fresh(fields["nonce"]) else Verdict.STALE

    def _nonce(self) -> str:
        issued = f"{self.clock.now_ms():x}"
        return f"{issued}-{self._sign(issued)}"

    def _sign(self, issued: str) -> str:
        return hmac.new(self._key, issued.encode(), hashlib.sha256).hexdigest()[:32]

    def _is_fresh(self, nonce: str) -> bool:
        issued, _, signature = nonce.partition("-")
        if not hmac.compare_digest(signature, self._sign(issued)):
            return False
        return 0 <= self.clock.now_ms() - int(issued, 16) < NONCE_LASTS_MS
