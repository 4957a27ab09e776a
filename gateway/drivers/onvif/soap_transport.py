"""Carries the library's SOAP messages: bounded, over one session a camera, with HTTP Digest where the camera asks for it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from zeep.wsdl.utils import etree_to_string

from contracts.errors import DeviceRefused, DeviceUnreachable
from gateway.drivers.onvif.library import AIOHTTPTransport
from gateway.drivers.onvif.rtsp_conversation import Credentials
from gateway.drivers.onvif.soap_answer import AnswerGate, UnfitAnswer

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500

_HEADERS: Final = {"Content-Type": "application/soap+xml; charset=utf-8"}


class NotAuthorized(DeviceRefused):
    """The camera does not accept the user or does not let it do this."""


class HttpStatusError(DeviceUnreachable):
    """The camera answers with an HTTP error and without SOAP: it is there, but it does not serve."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in the shape the library reads; always plain XML, whatever the camera calls it."""

    status_code: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: _HEADERS)
    encoding: str = "utf-8"


def open_session(credentials: Credentials | None, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """The session of one camera. Each request has a connection of its own, because cameras close idle ones unsaid."""
    middlewares: tuple[aiohttp.ClientMiddlewareType, ...] = ()
    if credentials is not None:
        middlewares = (aiohttp.DigestAuthMiddleware(credentials.username, credentials.password),)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, force_close=True),
        middlewares=middlewares,
        auto_decompress=False,  # a small answer must not unpack to a large one
        headers={"Accept-Encoding": "identity", "User-Agent": "Branchwatch"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class SoapTransport(AIOHTTPTransport):  # type: ignore[misc]
    """The library's transport with bounds.

    Args:
        session: session of the camera, closed by its owner.
        gate: what an answer has to pass.
        most_bytes: longest answer read.
        timeout_s: longest wait for a whole answer.
    """

    def __init__(self, session: aiohttp.ClientSession, gate: AnswerGate, most_bytes: int, timeout_s: float) -> None:
        super().__init__(session)
        self._gate = gate
        self._most_bytes = most_bytes
        self.timeout_s = timeout_s

    async def post_xml(self, address: str, envelope: Any, headers: dict[str, str]) -> Reply:
        """Send an envelope, return the answer.

        Raises:
            NotAuthorized: HTTP 401 or 403.
            DeviceRefused: there is no such service.
            HttpStatusError: another HTTP error without a SOAP answer.
            UnfitAnswer: the answer cannot be read.
            aiohttp.ClientError: no connection.
            TimeoutError: no answer in time.
        """
        message: bytes = etree_to_string(envelope)  # type: ignore[no-untyped-call]
        async with self.session.post(
            address,
            data=message,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self.timeout_s),
            allow_redirects=False,
        ) as response:
            status, body = response.status, await self._read(response)
        if status in {_UNAUTHORIZED, _FORBIDDEN}:
            raise NotAuthorized(f"{address} answers {status}; give the username and password of a user of the camera")
        try:
            return Reply(status, self._gate.pass_through(body, _operation(envelope)))
        except UnfitAnswer as error:
            if status == _OK:
                raise
            raise _of_status(address, status) from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._most_bytes:
                raise UnfitAnswer(f"{response.url}: answer of more than {self._most_bytes} bytes", bytes(body))
        return bytes(body)


def _operation(envelope: Any) -> str:
    """Local name of what an envelope of ours asks."""
    body = envelope.find("{*}Body")
    return str(body[0].tag).rpartition("}")[2]


def _of_status(address: str, status: int) -> DeviceRefused | HttpStatusError:
    if _NOT_FOUND <= status < _SERVER_ERROR:
        return DeviceRefused(f"{address} answers {status}; check that ONVIF is switched on and the port is right")
    return HttpStatusError(f"{address} answers {status}, expected 200; look at the camera")
