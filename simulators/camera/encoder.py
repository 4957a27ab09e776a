"""What the streams need of the camera: picture, credentials and how much of it all is sent."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from simulators.camera.model import DAY_BPS, Camera
from simulators.camera.video import Profile


@dataclass(slots=True)
class Encoder:
    """What the streams need of the camera.

    Attributes:
        camera: its picture and troubles.
        username: who may see.
        password: with which.
        scale: share of the encoder's bit rate that is sent.
        session_timeout_s: silence after which a session ends.
        chance: random source of what is lost on the way and of first sequence numbers.
        refused: called with the address of each caller with wrong credentials.
        lossy: packets get lost.
    """

    camera: Camera
    username: str
    password: str
    scale: float
    session_timeout_s: float
    chance: random.Random
    refused: Callable[[str], None]
    lossy: bool = False

    def rate_bps(self, profile: Profile) -> float:
        """Bits a second the encoder gives a profile now."""
        return self.camera.bitrate_bps * profile.share * self.scale

    def limit_bps(self, profile: Profile) -> float:
        """Bits a second a profile never exceeds for long."""
        return DAY_BPS[1] * profile.share * self.scale
