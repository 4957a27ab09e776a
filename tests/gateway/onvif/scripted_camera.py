"""A camera's ONVIF services that answer what the test has put down."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from html import escape

from aiohttp import web

SOAP = "http://www.w3.org/2003/05/soap-envelope"
NAMESPACES = " ".join(
    f'xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "s": SOAP,
        "tds": "http://www.onvif.org/ver10/device/wsdl",
        "tev": "http://www.onvif.org/ver10/events/wsdl",
        "trt": "http://www.onvif.org/ver10/media/wsdl",
        "tse": "http://www.onvif.org/ver10/search/wsdl",
        "tt": "http://www.onvif.org/ver10/schema",
        "ter": "http://www.onvif.org/ver10/error",
        "tns1": "http://www.onvif.org/ver10/topics",
        "wsnt": "http://docs.oasis-open.org/wsn/b-2",
        "wsa": "http://www.w3.org/2005/08/addressing",
    }.items()
)
SERVICES = {
    "device": "http://www.onvif.org/ver10/device/wsdl",
    "events": "http://www.onvif.org/ver10/events/wsdl",
    "media": "http://www.onvif.org/ver10/media/wsdl",
    "search": "http://www.onvif.org/ver10/search/wsdl",
}
CONCRETE = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"


def message(
    topic: str,
    data: dict[str, str],
    source: dict[str, str] | None = None,
    operation: str = "Changed",
    at: str = "2026-11-22T10:00:00Z",
) -> str:
    """A notification message as XML."""

    def items(part: str, values: dict[str, str]) -> str:
        inner = "".join(f'<tt:SimpleItem Name="{name}" Value="{escape(value)}"/>' for name, value in values.items())
        return f"<tt:{part}>{inner}</tt:{part}>" if values else ""

    said = f' PropertyOperation="{operation}"' if operation else ""
    return (
        f'<wsnt:NotificationMessage><wsnt:Topic Dialect="{CONCRETE}">{topic}</wsnt:Topic><wsnt:Message>'
        f'<tt:Message UtcTime="{at}"{said}>{items("Source", source or {})}{items("Data", data)}</tt:Message>'
        "</wsnt:Message></wsnt:NotificationMessage>"
    )


class ScriptedCamera:
    """What it answers can be changed while it runs."""

    def __init__(self, username: str = "viewer", password: str = "secret") -> None:
        self.username = username
        self.password = password
        self.port = 0
        self.serial = "CAM-0001"
        self.clock_offset = timedelta(0)
        self.lifetime_s = 600
        self.waiting: list[str] = []
        self.at_start: list[str] = []
        self.services = dict(SERVICES)
        self.advertised: str | None = None
        self.stream_url = "rtsp://192.0.2.9:554/stream1"
        self.recorded = (datetime.now(UTC) - timedelta(days=30), datetime.now(UTC) - timedelta(seconds=5))
        self.slots = 2
        self.subscriptions: set[str] = set()
        self.asked: list[str] = []
        self.guard: Callable[[web.Request], web.Response | None] = lambda _: None
        self.override: dict[str, Callable[[], web.StreamResponse]] = {}
        self.token_needed = True
        self.refused = 0
        self._nonces: set[str] = set()
        self._made = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        found = re.search(r"<(?:[\w-]+:)?Body>\s*<(?:[\w-]+:)?(\w+)", text)
        operation = found[1] if found else "?"
        self.asked.append(operation)
        refusal = self.guard(request)
        if refusal is not None:
            return refusal
        if operation in self.override:
            return self.override[operation]()
        if operation != "GetSystemDateAndTime" and self.token_needed and not self._is_authorized(text):
            self.refused += 1
            return self.fault("ter:NotAuthorized", "Sender not authorized")
        answered: web.StreamResponse = await getattr(self, f"_{operation}")(request, text)
        return answered

    def _is_authorized(self, text: str) -> bool:
        fields = dict(re.findall(r"<(?:\w+:)?(Username|Password|Nonce|Created)(?: [^>]*)?>([^<]*)<", text))
        if fields.get("Username") != self.username or fields["Nonce"] in self._nonces:
            return False
        self._nonces.add(fields["Nonce"])
        assert fields["Created"].endswith("Z")
        created = datetime.fromisoformat(fields["Created"])
        if abs(created - (datetime.now(UTC) + self.clock_offset)) > timedelta(seconds=30):
            return False
        plain = base64.b64decode(fields["Nonce"]) + fields["Created"].encode() + self.password.encode()
        return bool(fields["Password"] == base64.b64encode(hashlib.sha1(plain).digest()).decode())

    def fault(self, subcode: str, reason: str, status: int = 400) -> web.Response:
        return self.envelope(
            f"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>',
            status,
        )

    def envelope(self, body: str, status: int = 200) -> web.Response:
        return web.Response(
            status=status,
            body=f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope {NAMESPACES}><s:Body>{body}</s:Body></s:Envelope>'.encode(),
            content_type="application/soap+xml",
        )

    def envelope_of(self, messages: bytes) -> web.Response:
        """An answer to a pull with any bytes for messages."""
        whole = self.envelope(
            f"<tev:PullMessagesResponse>{self._times().replace('wsnt:', 'tev:')}@</tev:PullMessagesResponse>"
        )
        assert isinstance(whole.body, bytes)
        return web.Response(body=whole.body.replace(b"@", messages), content_type="application/soap+xml")

    def _at(self, path: str) -> str:
        return f"http://{self.advertised or f'127.0.0.1:{self.port}'}/onvif/{path}"

    async def _GetSystemDateAndTime(self, _: web.Request, __: str) -> web.Response:  # noqa: N802
        now = datetime.now(UTC) + self.clock_offset
        return self.envelope(
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime>"
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
            "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    async def _GetDeviceInformation(self, _: web.Request, __: str) -> web.Response:  # noqa: N802
        return self.envelope(
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>Acme</tds:Manufacturer><tds:Model>Dome 4</tds:Model>"
            f"<tds:FirmwareVersion>1.2</tds:FirmwareVersion><tds:SerialNumber>{self.serial}</tds:SerialNumber>"
            "<tds:HardwareId>7</tds:HardwareId></tds:GetDeviceInformationResponse>"
        )

    async def _GetServices(self, _: web.Request, __: str) -> web.Response:  # noqa: N802
        services = "".join(
            f"<tds:Service><tds:Namespace>{uri}</tds:Namespace><tds:XAddr>{self._at(f'{name}_service')}</tds:XAddr>"
            "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
            for name, uri in self.services.items()
        )
        return self.envelope(f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>")

    async def _GetProfiles(self, _: web.Request, __: str) -> web.Response:  # noqa: N802
        return self.envelope(
            '<trt:GetProfilesResponse><trt:Profiles token="main" fixed="true"><tt:Name>Main</tt:Name></trt:Profiles>'
            '<trt:Profiles token="sub" fixed="true"><tt:Name>Sub</tt:Name></trt:Profiles></trt:GetProfilesResponse>'
        )

    async def _GetStreamUri(self, _: web.Request, text: str) -> web.Response:  # noqa: N802
        found = re.search(r"ProfileToken>(\w+)<", text)
        assert found
        return self.envelope(
            f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{self.stream_url}?p={found[1]}</tt:Uri>"
            "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot>"
            "<tt:Timeout>PT0S</tt:Timeout></trt:MediaUri></trt:GetStreamUriResponse>"
        )

    async def _GetRecordingSummary(self, _: web.Request, __: str) -> web.Response:  # noqa: N802
        oldest, newest = (at.isoformat().replace("+00:00", "Z") for at in self.recorded)
        return self.envelope(
            f"<tse:GetRecordingSummaryResponse><tse:Summary><tt:DataFrom>{oldest}</tt:DataFrom>"
            f"<tt:DataUntil>{newest}</tt:DataUntil><tt:NumberRecordings>1</tt:NumberRecordings></tse:Summary>"
            "</tse:GetRecordingSummaryResponse>"
        )

    def _times(self) -> str:
        now = datetime.now(UTC).replace(microsecond=0) + self.clock_offset
        until = now + timedelta(seconds=self.lifetime_s)
        return (
            f"<wsnt:CurrentTime>{now:%Y-%m-%dT%H:%M:%SZ}</wsnt:CurrentTime>"
            f"<wsnt:TerminationTime>{until:%Y-%m-%dT%H:%M:%SZ}</wsnt:TerminationTime>"
        )

    async def _CreatePullPointSubscription(self, _: web.Request, __: str) -> web.Response:  # noqa: N802
        if len(self.subscriptions) >= self.slots:
            return self.fault("ter:MaxPullPoints", "no room", 500)
        self._made += 1
        self.subscriptions.add(str(self._made))
        return self.envelope(
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa:Address>"
            f"{self._at(f'subscription/{self._made}')}</wsa:Address></tev:SubscriptionReference>"
            f"{self._times()}</tev:CreatePullPointSubscriptionResponse>"
        )

    def _subscription(self, request: web.Request) -> str | None:
        name = request.path.rpartition("/")[2]
        return name if name in self.subscriptions else None

    async def _SetSynchronizationPoint(self, request: web.Request, _: str) -> web.Response:  # noqa: N802
        self.waiting += self.at_start
        return self.envelope("<tev:SetSynchronizationPointResponse/>")

    async def _PullMessages(self, request: web.Request, text: str) -> web.Response:  # noqa: N802
        if self._subscription(request) is None:
            return self.fault("wsnt:ResourceUnknownFault", "unknown subscription", 500)
        found = re.search(r"Timeout>PT([\d.]+)S<", text)
        assert found
        name = self._subscription(request)
        end = asyncio.get_running_loop().time() + float(found[1])
        while not self.waiting and asyncio.get_running_loop().time() < end and name in self.subscriptions:
            await asyncio.sleep(0.01)
        messages, self.waiting = self.waiting[:100], self.waiting[100:]
        return self.envelope(
            f"<tev:PullMessagesResponse>{self._times().replace('wsnt:', 'tev:')}{''.join(messages)}</tev:PullMessagesResponse>"
        )

    async def _Renew(self, request: web.Request, _: str) -> web.Response:  # noqa: N802
        if self._subscription(request) is None:
            return self.fault("wsnt:ResourceUnknownFault", "unknown subscription", 500)
        times = re.sub(r"(<wsnt:CurrentTime>.*</wsnt:CurrentTime>)(.*)", r"\2\1", self._times())
        return self.envelope(f"<wsnt:RenewResponse>{times}</wsnt:RenewResponse>")

    async def _Unsubscribe(self, request: web.Request, _: str) -> web.Response:  # noqa: N802
        self.subscriptions.discard(request.path.rpartition("/")[2])
        return self.envelope("<wsnt:UnsubscribeResponse/>")


@asynccontextmanager
async def serving(camera: ScriptedCamera, port: int) -> AsyncIterator[None]:
    camera.port = port
    app = web.Application()
    app.router.add_post("/{path:.*}", camera.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()
