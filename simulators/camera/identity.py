"""Who a simulated camera is."""

import random
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Identity:
    """What is printed on its label."""

    manufacturer: str
    model: str
    firmware: str
    serial: str
    hardware_id: str

    @property
    def scopes(self) -> str:
        """What it says of itself in WS-Discovery."""
        return (
            "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/Profile/Streaming "
            f"onvif://www.onvif.org/hardware/{self.model} onvif://www.onvif.org/name/{self.manufacturer}"
        )


def draw_identity(chance: random.Random) -> Identity:
    """A camera of a maker that does not exist."""
    model, hardware = chance.choice((("BW-D2140", "D2"), ("BW-B2152", "B2"), ("BW-T4180", "T4")))
    label = Identity("Branch Optics", model, "", f"{chance.randrange(10**10):010d}", hardware)
    return replace(
        label, firmware=f"V5.{chance.randint(4, 8)}.{chance.randint(0, 20)} build 26{chance.randint(1, 9):02d}01"
    )
