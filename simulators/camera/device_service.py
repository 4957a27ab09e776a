"""What the camera says of itself, its streams and its recordings: device, media and search service. No I/O.

Source: ONVIF Core, Media and Recording Search service specifications.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from simulators.camera.h264 import FRAMES_A_SECOND
from simulators.camera.identity import Identity
from simulators.camera.model import Camera
from simulators.camera.properties import stamp
from simulators.camera.quirks import Quirks
from simulators.camera.soap import NAMESPACES, Call, SoapFault, invalid
from simulators.camera.video import PROFILES, Profile

ELSEWHERE: Final = "192.0.2.10"
"""Host that only the camera's own network would know. Source: RFC 5737, addresses for documentation."""

_ACCEPTED_MBIT_S = 4


@dataclass(frozen=True, slots=True)
class Address:
    """Where the camera is found by who asks."""

    host: str
    http_port: int
    rtsp_port: int

    def http(self, path: str) -> str:
        """Address of a service."""
        return f"http://{self.host}:{self.http_port}/onvif/{path}"

    def rtsp(self, profile: Profile) -> str:
        """Address of a stream."""
        return f"rtsp://{self.host}:{self.rtsp_port}{profile.path}"


class DeviceService:
    """Answers the calls that only read.

    Args:
        camera: whom it speaks for.
        identity: who that is.
        quirks: of the camera.
        stream_scale: share of the encoder's bit rate that is streamed.
    """

    def __init__(self, camera: Camera, identity: Identity, quirks: Quirks, stream_scale: float) -> None:
        self._camera = camera
        self._identity = identity
        self._quirks = quirks
        self._stream_scale = stream_scale
        self._services = {"tds": "device_service", "trt": "media_service", "tev": "event_service"}
        if camera.recorder is not None:
            self._services["tse"] = "search_service"

    def address(self, host: str, http_port: int, rtsp_port: int) -> Address:
        """The address it gives to somebody who came by a host name."""
        return Address(ELSEWHERE if self._quirks.relative_addresses_wrong else host, http_port, rtsp_port)

    def date_and_time(self) -> str:
        """Answer ``GetSystemDateAndTime``."""
        now = datetime.fromtimestamp(self._camera.camera_ms / 1000, UTC)
        source = "NTP" if self._camera.clock.has_time_source else "Manual"
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime>"
            f"<tt:DateTimeType>{source}</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>"
            "<tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone><tt:UTCDateTime>"
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            f"<tt:Second>{now.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
            "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def services(self, at: Address) -> str:
        """Answer ``GetServices``."""
        entries = "".join(
            f"<tds:Service><tds:Namespace>{NAMESPACES[prefix]}</tds:Namespace><tds:XAddr>{escape(at.http(path))}</tds:XAddr>"
            "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
            for prefix, path in self._services.items()
        )
        return f"<tds:GetServicesResponse>{entries}</tds:GetServicesResponse>"

    def capabilities(self, at: Address) -> str:
        """Answer ``GetCapabilities``."""
        search = ""
        if "tse" in self._services:
            search = (
                f"<tt:Extension><tt:Search><tt:XAddr>{escape(at.http('search_service'))}</tt:XAddr>"
                "<tt:MetadataSearch>false</tt:MetadataSearch></tt:Search></tt:Extension>"
            )
        return (
            "<tds:GetCapabilitiesResponse><tds:Capabilities>"
            f"<tt:Device><tt:XAddr>{escape(at.http('device_service'))}</tt:XAddr></tt:Device>"
            f"<tt:Events><tt:XAddr>{escape(at.http('event_service'))}</tt:XAddr>"
            "<tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport>"
            "<tt:WSPullPointSupport>true</tt:WSPullPointSupport>"
            "<tt:WSPausableSubscriptionManagerInterfaceSupport>false</tt:WSPausableSubscriptionManagerInterfaceSupport>"
            f"</tt:Events><tt:Media><tt:XAddr>{escape(at.http('media_service'))}</tt:XAddr>"
            "<tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>false</tt:RTP_TCP>"
            "<tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>"
            f"{search}</tds:Capabilities></tds:GetCapabilitiesResponse>"
        )

    def information(self) -> str:
        """Answer ``GetDeviceInformation``."""
        who = self._identity
        return (
            f"<tds:GetDeviceInformationResponse><tds:Manufacturer>{who.manufacturer}</tds:Manufacturer>"
            f"<tds:Model>{who.model}</tds:Model><tds:FirmwareVersion>{who.firmware}</tds:FirmwareVersion>"
            f"<tds:SerialNumber>{who.serial}</tds:SerialNumber><tds:HardwareId>{who.hardware_id}</tds:HardwareId>"
            "</tds:GetDeviceInformationResponse>"
        )

    def profiles(self) -> str:
        """Answer ``GetProfiles``."""
        entries = "".join(self._profile(profile) for profile in PROFILES)
        return f"<trt:GetProfilesResponse>{entries}</trt:GetProfilesResponse>"

    def stream_uri(self, call: Call, at: Address) -> str:
        """Answer ``GetStreamUri``.

        Raises:
            SoapFault: no such profile, or not over RTSP.
        """
        wanted = call.text("trt:ProfileToken")
        profile = next((profile for profile in PROFILES if profile.token == wanted), None)
        if profile is None:
            raise SoapFault(("ter:InvalidArgVal", "ter:NoProfile"), f"no profile {wanted}")
        protocol = call.text("trt:StreamSetup/tt:Transport/tt:Protocol")
        if protocol not in {"RTSP", "UDP", "TCP", "HTTP"}:
            raise invalid(f"transport protocol {protocol}: expected RTSP")
        return (
            f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{escape(at.rtsp(profile))}</tt:Uri>"
            "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot>"
            "<tt:Timeout>PT60S</tt:Timeout></trt:MediaUri></trt:GetStreamUriResponse>"
        )

    def recording_summary(self) -> str:
        """Answer ``GetRecordingSummary``.

        Raises:
            SoapFault: it does not record.
        """
        if self._camera.recorder is None:
            raise not_supported("GetRecordingSummary")
        first_ms, last_ms = self._camera.recorder.span_ms(self._camera.camera_ms)
        return (
            "<tse:GetRecordingSummaryResponse><tse:Summary>"
            f"<tt:DataFrom>{stamp(first_ms)}</tt:DataFrom><tt:DataUntil>{stamp(last_ms)}</tt:DataUntil>"
            "<tt:NumberRecordings>1</tt:NumberRecordings></tse:Summary></tse:GetRecordingSummaryResponse>"
        )

    def _profile(self, profile: Profile) -> str:
        size = f"<tt:Width>{profile.width}</tt:Width><tt:Height>{profile.height}</tt:Height>"
        limit_kbit_s = round(_ACCEPTED_MBIT_S * 1000 * profile.share * self._stream_scale)
        return (
            f'<trt:Profiles token="{profile.token}" fixed="true"><tt:Name>{profile.token}</tt:Name>'
            '<tt:VideoSourceConfiguration token="VideoSourceConfig_1"><tt:Name>VideoSourceConfig_1</tt:Name>'
            "<tt:UseCount>2</tt:UseCount><tt:SourceToken>VideoSource_1</tt:SourceToken>"
            f'<tt:Bounds x="0" y="0" width="{PROFILES[0].width}" height="{PROFILES[0].height}"/>'
            "</tt:VideoSourceConfiguration>"
            f'<tt:VideoEncoderConfiguration token="Encoder_{profile.token}"><tt:Name>Encoder_{profile.token}</tt:Name>'
            f"<tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding><tt:Resolution>{size}</tt:Resolution>"
            f"<tt:Quality>4</tt:Quality><tt:RateControl><tt:FrameRateLimit>{FRAMES_A_SECOND}</tt:FrameRateLimit>"
            f"<tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>{limit_kbit_s}</tt:BitrateLimit>"
            "</tt:RateControl><tt:H264><tt:GovLength>50</tt:GovLength><tt:H264Profile>Baseline</tt:H264Profile></tt:H264>"
            "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>"
            "<tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
            "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration></trt:Profiles>"
        )


def not_supported(operation: str) -> SoapFault:
    """The camera has no such operation."""
    return SoapFault(("ter:ActionNotSupported",), f"{operation} is not supported", receiver=True)
