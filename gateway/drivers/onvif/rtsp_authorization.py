"""Answers to an RTSP server's challenge. Pure.

Source: RFC 2617 (Digest with MD5, with and without ``qop``), RFC 7616 (SHA-256), RFC 7617 (Basic).
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_SCHEME = re.compile(r"(?:^|,)\s*(digest|basic)\b", re.IGNORECASE)
_FIELD = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_CHALLENGES_MOST: Final = 8
_CHALLENGE_MOST_CHARACTERS: Final = 2048


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_HASHES: Final[dict[str, Callable[[str], str]]] = {"SHA-256": _sha256, "MD5": _md5}
"""Best first."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server asks for.

    Attributes:
        scheme: ``digest`` or ``basic``.
        realm: the server's name for what the credentials open.
        nonce: the server's one-time text; empty for Basic.
        algorithm: key of the hash; empty for Basic.
        qop: ``auth``, or empty where the server asks for the form without it.
        opaque: to be given back as it came.
        is_stale: the credentials were right, only the nonce is too old.
    """

    scheme: str
    realm: str
    nonce: str = ""
    algorithm: str = ""
    qop: str = ""
    opaque: str = ""
    is_stale: bool = False


def choose(offers: Sequence[str], *, basic_allowed: bool) -> Challenge | None:
    """The best challenge we can answer among the ``WWW-Authenticate`` headers; ``None`` where there is none.

    Args:
        offers: header values; one may hold several challenges.
        basic_allowed: whether the password may travel readable.
    """
    challenges = [challenge for offer in offers[:_CHALLENGES_MOST] for challenge in _parse(offer)]
    for algorithm in _HASHES:
        for challenge in challenges:
            if challenge.scheme == "digest" and challenge.algorithm == algorithm:
                return challenge
    return next((challenge for challenge in challenges if challenge.scheme == "basic" and basic_allowed), None)


def _parse(offer: str) -> list[Challenge]:
    offer = offer[:_CHALLENGE_MOST_CHARACTERS]
    starts = list(_SCHEME.finditer(offer))
    out = []
    ends = [*(start.start() for start in starts[1:]), len(offer)]
    for start, end in zip(starts, ends, strict=False):  # where there is none, there is still an end
        text = offer[start.end() : end]
        fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(text)}
        challenge = _challenge(start[1].lower(), fields)
        if challenge is not None:
            out.append(challenge)
    return out


def _challenge(scheme: str, fields: dict[str, str]) -> Challenge | None:
    realm = fields.get("realm", "")
    if scheme == "basic":
        return Challenge("basic", realm)
    algorithm = fields.get("algorithm", "MD5").upper()
    offered = [word.strip().lower() for word in fields.get("qop", "").split(",") if word.strip()]
    nonce = fields.get("nonce", "")
    safe = all(character.isprintable() for character in nonce + realm + fields.get("opaque", ""))
    if algorithm not in _HASHES or (offered and "auth" not in offered) or not nonce or not safe:
        return None
    return Challenge(
        "digest",
        realm,
        nonce,
        algorithm,
        "auth" if offered else "",
        fields.get("opaque", ""),
        fields.get("stale", "").lower() == "true",
    )


def authorization(
    challenge: Challenge, username: str, password: str, method: str, url: str, *, count: int, client_nonce: str
) -> str:
    """Value of the ``Authorization`` header.

    Args:
        challenge: what to answer.
        username: user at the camera.
        password: that user's password.
        method: method of the request it goes with.
        url: URL of that request, as it stands in it.
        count: how many requests with this nonce there were, this one included, from 1.
        client_nonce: random text of ours.
    """
    if challenge.scheme == "basic":
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    digest = _HASHES[challenge.algorithm]
    ha1 = digest(f"{username}:{challenge.realm}:{password}")
    ha2 = digest(f"{method}:{url}")
    fields = {"username": username, "realm": challenge.realm, "nonce": challenge.nonce, "uri": url}
    if challenge.qop:
        response = digest(f"{ha1}:{challenge.nonce}:{count:08x}:{client_nonce}:auth:{ha2}")
        tail = f', qop=auth, nc={count:08x}, cnonce="{client_nonce}"'
    else:
        response, tail = digest(f"{ha1}:{challenge.nonce}:{ha2}"), ""
    if challenge.opaque:
        fields["opaque"] = challenge.opaque
    quoted = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    return f'Digest {quoted}, response="{response}", algorithm={challenge.algorithm}{tail}'
