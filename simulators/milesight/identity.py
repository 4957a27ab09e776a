"""Who a sensor is, and what a topic makes of that."""

import random
import uuid
from dataclasses import dataclass, replace

from simulators.milesight.delivery import MqttTarget


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the sensor is.

    Attributes:
        name: name it was given.
        serial: 16 digits.
        mac: six bytes with colons.
        line_uuid: identity of its line, kept until the line is drawn anew.
        region_uuid: the same of its region.
        device_id: id the customer gave it.
        site_id: id the customer gave the site.
    """

    name: str
    serial: str
    mac: str
    line_uuid: str
    region_uuid: str
    device_id: str
    site_id: str


def draw_identity(name: str, serial: str | None, device_id: str, site_id: str, chance: random.Random) -> Identity:
    """Draw a device as it comes from the factory, under the customer's names.

    Args:
        name: name it is given.
        serial: its serial number; drawn where not given.
        device_id: id the customer gave it.
        site_id: id the customer gave the site.
        chance: random source.
    """
    drawn = f"6537F{chance.randrange(10**11):011d}" if serial is None else serial
    mac = ":".join(["24", "E1", "24", *(f"{chance.randrange(256):02X}" for _ in range(3))])
    return Identity(name, drawn, mac, _uuid(chance), _uuid(chance), device_id, site_id)


def filled(target: MqttTarget, who: Identity, model: str) -> MqttTarget:
    """Put serial number, model and ids into a topic."""
    topic = target.topic
    for name, value in (("$devsn", who.serial), ("$prdmd", model), ("$devid", who.device_id), ("$siteid", who.site_id)):
        topic = topic.replace(name, value)
    return replace(target, topic=topic)


def _uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))
