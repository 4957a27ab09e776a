"""Asks web servers of unknown devices: one small question, a bounded answer, no credentials, no cookies, no redirects."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from contracts.errors import DeviceUnreachable
from gateway.discovery.target import TLS_PORTS, bracketed

ANSWER_MOST_BYTES: Final = 65_536
_SHOWN_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """An answer over HTTP; the body may be cut at :data:`ANSWER_MOST_BYTES`.

    Attributes:
        status: HTTP status.
        challenge: what it says about who may ask, all ``WWW-Authenticate`` headers.
        server: ``Server`` header.
        body: beginning of the body.
    """

    status: int
    challenge: str
    server: str
    body: bytes


def trusting_anybody() -> ssl.SSLContext:
    """TLS without a look at the certificate, for who tells nothing that anybody may not hear."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def open_session() -> aiohttp.ClientSession:
    """A session for many devices that keeps nothing between two questions."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trusting_anybody(), force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # a small answer must not unpack to a large one
        headers={"Accept-Encoding": "identity", "User-Agent": "Branchwatch"},
    )


def root_of(host: str, port: int) -> str:
    """Address of the web server at a port."""
    return f"{'https' if port in TLS_PORTS else 'http'}://{bracketed(host)}:{port}"


async def ask(
    session: aiohttp.ClientSession,
    url: str,
    wait_s: float,
    message: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> WebAnswer:
    """GET a page, or POST a message.

    Raises:
        DeviceUnreachable: no answer over HTTP in time.
    """
    method = "GET" if message is None else "POST"
    body = bytearray()
    try:
        async with session.request(
            method,
            url,
            data=message,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=wait_s),
        ) as response:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= ANSWER_MOST_BYTES:
                    break
            challenge = ", ".join(response.headers.getall("WWW-Authenticate", []))
            server = response.headers.get("Server", "")
            return WebAnswer(response.status, challenge, server, bytes(body[:ANSWER_MOST_BYTES]))
    except TimeoutError as error:
        raise DeviceUnreachable(f"{url}: no answer within {wait_s:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DeviceUnreachable(f"{url}: {(str(error) or type(error).__name__)[:_SHOWN_CHARS]}") from error


async def is_trusted(session: aiohttp.ClientSession, url: str, wait_s: float) -> bool:
    """Whether the certificate of a server over TLS is one the system trusts for its name."""
    try:
        context = ssl.create_default_context()
        async with session.get(url, ssl=context, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=wait_s)):
            return True
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
        return False
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return True  # it ended later than at the certificate
