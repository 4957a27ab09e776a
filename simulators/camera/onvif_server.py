"""The camera's web server: SOAP over HTTP, one port a camera, no tasks of its own."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from runtime.clock import Clock
from simulators.camera.credentials import TokenGuard
from simulators.camera.device_service import Address, DeviceService, not_supported
from simulators.camera.event_service import SUBSCRIPTION, EventService, Silence
from simulators.camera.model import Camera
from simulators.camera.soap import CONTENT_TYPE, NAMESPACES, Call, SoapFault, malformed, read, write
from simulators.footfall.credentials import Guard, Verdict

LARGEST_REQUEST_BYTES: Final = 65536
_STOP_TIMEOUT_S = 1.0
_WITHOUT_LOGIN = {"GetSystemDateAndTime", "GetServices", "GetCapabilities"}
"""Source: ONVIF Core specification, access class PRE_AUTH."""

_ADDRESSED = {NAMESPACES["tev"], NAMESPACES["wsnt"]}
_ACTION = {
    "CreatePullPointSubscription": "http://www.onvif.org/ver10/events/wsdl/EventPortType/",
    "GetEventProperties": "http://www.onvif.org/ver10/events/wsdl/EventPortType/",
    "PullMessages": "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/",
    "SetSynchronizationPoint": "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/",
    "Renew": "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/",
    "Unsubscribe": "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/",
}

_Answer = Callable[[Call, Address, int], Awaitable[str]]


@dataclass(slots=True)
class Logins:
    """Who gets in, and who was refused.

    Attributes:
        username: expected name.
        password: expected password.
        clock: the real time.
        http_digest_only: user name tokens are not looked at.
        remembers_nonces: a token lets in once.
        refused: called with the address of each caller who was refused.
    """

    username: str
    password: str
    clock: Clock
    http_digest_only: bool
    remembers_nonces: bool
    refused: Callable[[str], None]
    _tokens: TokenGuard = field(init=False)
    _digest: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.change(self.password)

    def change(self, password: str) -> None:
        """Expect another password from now on."""
        self.password = password
        self._tokens = TokenGuard(self.username, password, self.remembers_nonces)
        self._digest = Guard(self.username, password, "ONVIF", self.clock)

    def judge(self, request: web.BaseRequest, call: Call, camera_ms: int) -> Verdict:
        """Judge a call by its HTTP header or its token."""
        authorization = request.headers.get("Authorization")
        if authorization is not None and authorization[:7].lower() == "digest ":
            return self._digest.judge(authorization, request.method, request.path_qs)
        if self.http_digest_only:
            return Verdict.MISSING
        return self._tokens.judge(call.token, camera_ms)

    def challenge(self, verdict: Verdict) -> str:
        """What to offer over HTTP to somebody who was refused."""
        return self._digest.challenges(verdict)[0]


class OnvifServer:
    """Serves the camera's services.

    Args:
        camera: whom it speaks for.
        device: device, media and search service.
        events: event service.
        logins: who may ask.
        host: address to listen on.
        port: port to listen on, 0 for any free one; :attr:`port` tells which.
        rtsp_port: tells where the streams are.
        look: brings the camera up to date.
    """

    def __init__(
        self,
        camera: Camera,
        device: DeviceService,
        events: EventService,
        logins: Logins,
        host: str,
        port: int,
        rtsp_port: Callable[[], int],
        look: Callable[[], None],
    ) -> None:
        self.port = port
        self._camera = camera
        self._device = device
        self._logins = logins
        self._host = host
        self._rtsp_port = rtsp_port
        self._look = look
        self._runner: web.ServerRunner | None = None
        self._answers = _answers(device, events)

    @property
    def is_open(self) -> bool:
        """Listens."""
        return self._runner is not None

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=_STOP_TIMEOUT_S)
        await runner.setup()
        self._runner = runner  # from here on close() cleans up, should this be cancelled
        try:
            await web.TCPSite(runner, self._host, self.port).start()
        except OSError:
            await self.close()
            raise
        self.port = int(runner.addresses[0][1])

    async def close(self) -> None:
        """Close port and connections; calls under way are broken off after a second."""
        runner = self._runner
        if runner is not None:
            await runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call: Call | None = None
        try:
            call = read(await _content(request))
            return await self._answer(request, call)
        except SoapFault as fault:
            action = "http://www.w3.org/2005/08/addressing/fault" if call and call.namespace in _ADDRESSED else ""
            body = write(fault.body(), action=action, relates_to=call.message_id if call else "")
            return web.Response(status=fault.http_status, body=body, headers={"Content-Type": CONTENT_TYPE})
        except Silence:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()

    async def _answer(self, request: web.BaseRequest, call: Call) -> web.Response:
        self._look()
        if call.operation not in _WITHOUT_LOGIN:
            verdict = self._logins.judge(request, call, self._camera.camera_ms)
            if verdict is not Verdict.WELCOME:
                return self._refuse(request, verdict)
        answer = self._answers.get((call.namespace, call.operation))
        if answer is None:
            raise not_supported(call.operation)
        at = self._device.address(request.url.host or self._host, self.port, self._rtsp_port())
        body = await answer(call, at, _subscription(request))
        action = _ACTION.get(call.operation, "")
        content = write(body, action=action and f"{action}{call.operation}Response", relates_to=call.message_id)
        return web.Response(body=content, headers={"Content-Type": CONTENT_TYPE})

    def _refuse(self, request: web.BaseRequest, verdict: Verdict) -> web.Response:
        if verdict is not Verdict.MISSING:  # who asks for the challenge first has not tried to log in yet
            self._logins.refused(request.remote or "")
        fault = SoapFault(("ter:NotAuthorized",), "Sender not Authorized")
        headers = {"Content-Type": CONTENT_TYPE}
        status = fault.http_status
        if self._logins.http_digest_only or "Authorization" in request.headers or verdict is Verdict.MISSING:
            status = 401
            headers["WWW-Authenticate"] = self._logins.challenge(verdict)
        return web.Response(status=status, body=write(fault.body()), headers=headers)


async def _content(request: web.BaseRequest) -> bytes:
    if request.method != "POST" or not request.path.startswith("/onvif/"):
        raise malformed("expected POST to /onvif/…")
    if (request.content_length or 0) > LARGEST_REQUEST_BYTES:
        raise malformed(f"a request has at most {LARGEST_REQUEST_BYTES} bytes")
    content = b""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while chunk := await request.content.read(LARGEST_REQUEST_BYTES):
            content += chunk
            if len(content) > LARGEST_REQUEST_BYTES:
                raise malformed(f"a request has at most {LARGEST_REQUEST_BYTES} bytes")
    return content


def _subscription(request: web.BaseRequest) -> int:
    """Number of the subscription the request is addressed to; 0, which is none, where it is not."""
    number = request.query.get("Idx", "")
    is_one = request.path.endswith(f"/{SUBSCRIPTION}") and number.isascii() and number.isdecimal() and len(number) < 10
    return int(number) if is_one else 0


def _answers(device: DeviceService, events: EventService) -> dict[tuple[str, str], _Answer]:
    def reading(answer: Callable[[Call, Address], str]) -> _Answer:
        async def answered(call: Call, at: Address, _number: int) -> str:
            return answer(call, at)

        return answered

    tds, trt, tev, tse, wsnt = (NAMESPACES[prefix] for prefix in ("tds", "trt", "tev", "tse", "wsnt"))
    return {
        (tds, "GetSystemDateAndTime"): reading(lambda _call, _at: device.date_and_time()),
        (tds, "GetServices"): reading(lambda _call, at: device.services(at)),
        (tds, "GetCapabilities"): reading(lambda _call, at: device.capabilities(at)),
        (tds, "GetDeviceInformation"): reading(lambda _call, _at: device.information()),
        (trt, "GetProfiles"): reading(lambda _call, _at: device.profiles()),
        (trt, "GetStreamUri"): reading(device.stream_uri),
        (tse, "GetRecordingSummary"): reading(lambda _call, _at: device.recording_summary()),
        (tev, "GetEventProperties"): lambda _call, _at, _number: events.properties(),
        (tev, "CreatePullPointSubscription"): lambda call, at, _number: events.create(call, at),
        (tev, "PullMessages"): lambda call, _at, number: events.pull(call, number),
        (tev, "SetSynchronizationPoint"): lambda _call, _at, number: events.synchronize(number),
        (wsnt, "Renew"): lambda call, _at, number: events.renew(call, number),
        (wsnt, "Unsubscribe"): lambda _call, _at, number: events.unsubscribe(number),
    }
