"""The encoder's output as RTP packets: frames of the right size at the right time, numbered as they should be. No I/O.

Source: RFC 3550 (RTP, sender report), RFC 6184 (H.264: single units and FU-A), RFC 4566 (SDP).
"""

import base64
import struct
from dataclasses import dataclass
from typing import Final

from simulators.camera.h264 import FRAMES_A_SECOND, GROUP, filler, key_slice, parameter_sets, repeat_slice

PAYLOAD_TYPE: Final = 96
CLOCK_HZ: Final = 90_000
LARGEST_PAYLOAD: Final = 1400

_TICKS = CLOCK_HZ // FRAMES_A_SECOND
_FU_A = 28
_NTP_EPOCH_S = 2_208_988_800
_SMALLEST_FILLER = 8


@dataclass(frozen=True, slots=True)
class Profile:
    """A stream the camera offers.

    Attributes:
        token: name of the media profile.
        path: of its RTSP address.
        width: pixels.
        height: pixels.
        share: of the encoder's bit rate.
    """

    token: str
    path: str
    width: int
    height: int
    share: float


PROFILES: Final = (
    Profile("Main", "/stream/main", 1280, 720, 1.0),
    Profile("Sub", "/stream/sub", 640, 352, 0.125),
)
TRACK: Final = "trackID=1"


def description(profile: Profile, limit_bps: float, host: str) -> str:
    """SDP of a stream.

    Args:
        profile: which.
        limit_bps: bits a second it never exceeds for long.
        host: the camera's address.
    """
    sets = parameter_sets(profile.width, profile.height)
    shown = ",".join(base64.b64encode(unit).decode() for unit in sets)
    level = sets[0][1:4].hex().upper()
    lines = (
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        f"s={profile.token}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"b=AS:{max(1, round(limit_bps / 1000))}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={level};sprop-parameter-sets={shown}",
        f"a=framerate:{FRAMES_A_SECOND}",
        f"a=control:{TRACK}",
    )
    return "\r\n".join((*lines, ""))


class VideoStream:
    """One playing of a profile.

    Args:
        profile: which.
        source: RTP synchronisation source.
        sequence: first sequence number.
        timestamp: first RTP time.
    """

    def __init__(self, profile: Profile, source: int, sequence: int, timestamp: int) -> None:
        self.profile = profile
        self.source = source
        self.sequence = sequence & 0xFFFF
        self.timestamp = timestamp & 0xFFFFFFFF
        self.packets = 0
        self.octets = 0
        self._frame = 0
        self._credit_bytes = 0.0

    def frame(self, rate_bps: float) -> list[bytes]:
        """RTP packets of the next frame; over time they amount to the rate, unless that is below what a picture takes."""
        units = self._units()
        self._credit_bytes += rate_bps / 8 / FRAMES_A_SECOND - sum(map(len, units))
        if self._credit_bytes >= _SMALLEST_FILLER:
            units.append(filler(int(self._credit_bytes)))
            self._credit_bytes = 0.0
        payloads = [payload for unit in units for payload in _payloads(unit)]
        packets = []
        for index, payload in enumerate(payloads):
            marker = 0x80 if index == len(payloads) - 1 else 0
            header = struct.pack("!BBHII", 0x80, marker | PAYLOAD_TYPE, self.sequence, self.timestamp, self.source)
            packets.append(header + payload)
            self.sequence = (self.sequence + 1) & 0xFFFF
            self.packets += 1
            self.octets += len(payload)
        self.timestamp = (self.timestamp + _TICKS) & 0xFFFFFFFF
        self._frame = (self._frame + 1) % GROUP
        return packets

    def skip(self, frames: int) -> None:
        """The encoder left frames out."""
        self.timestamp = (self.timestamp + frames * _TICKS) & 0xFFFFFFFF

    def report(self, camera_ms: int) -> bytes:
        """RTCP sender report: which time of day the RTP time is."""
        seconds, thousandths = divmod(camera_ms, 1000)
        return struct.pack(
            "!BBHIIIIII",
            0x80,
            200,
            6,
            self.source,
            (seconds + _NTP_EPOCH_S) & 0xFFFFFFFF,
            (thousandths << 32) // 1000,
            self.timestamp,
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )

    def _units(self) -> list[bytes]:
        width, height = self.profile.width, self.profile.height
        if self._frame == 0:
            return [*parameter_sets(width, height), key_slice(width, height)]
        return [repeat_slice(width, height, self._frame)]


def _payloads(unit: bytes) -> list[bytes]:
    """A unit as it is where it fits, else in fragments."""
    if len(unit) <= LARGEST_PAYLOAD:
        return [unit]
    indicator, kind = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F
    size = LARGEST_PAYLOAD - 2
    pieces = [unit[start : start + size] for start in range(1, len(unit), size)]
    last = len(pieces) - 1
    return [
        bytes([indicator, kind | (0x80 if index == 0 else 0) | (0x40 if index == last else 0)]) + piece
        for index, piece in enumerate(pieces)
    ]
