"""Notifications as a camera sends them: what changed, in ONVIF's XML."""

from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Final

from simulators.camera.model import Camera
from simulators.camera.properties import PROCESSOR, PROPERTIES, Items, Property, Style, Value, stamp
from simulators.camera.quirks import Quirks

ZERO_DATE: Final = "0000-00-00T00:00:00Z"

_TRUTH: Final = {
    Style.WORD: ("False", "True"),
    Style.NUMBER: ("0", "1"),
    Style.ACTIVE: ("inactive", "active"),
}


class Operation(StrEnum):
    """Why a property is told."""

    INITIALIZED = "Initialized"
    CHANGED = "Changed"


@dataclass(frozen=True, slots=True)
class Notification:
    """One message.

    Attributes:
        topic: below ``tns1:``, without quirks.
        xml: ``wsnt:NotificationMessage``.
    """

    topic: str
    xml: str


def notification(
    topic: str, camera_ms: int, operation: Operation | None, source: Items, data: Items, quirks: Quirks
) -> Notification:
    """Write one message.

    Args:
        topic: below ``tns1:``.
        camera_ms: time by the camera's clock.
        operation: ``None`` where the topic is no property.
        source: items that say which part is meant.
        data: items that say what is.
        quirks: of the camera.
    """
    ending = ("//." if topic.endswith(("Motion", "MotionAlarm")) else "/") if quirks.trailing_topic else ""
    at = ZERO_DATE if quirks.zero_date else stamp(camera_ms)
    why = "" if operation is None else f' PropertyOperation="{operation}"'
    xml = (
        "<wsnt:NotificationMessage>"
        '<wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f"tns1:{topic}{ending}</wsnt:Topic>"
        f'<wsnt:Message><tt:Message UtcTime="{at}"{why}>'
        f"<tt:Source>{_items(source)}</tt:Source><tt:Data>{_items(data)}</tt:Data>"
        "</tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )
    return Notification(topic, xml)


def _items(items: Items) -> str:
    return "".join(f'<tt:SimpleItem Name="{escape(name)}" Value="{escape(value)}"/>' for name, value in items)


class Publication:
    """Compares a camera with what was told of it last.

    Args:
        camera: the camera.
        quirks: of the camera.
    """

    def __init__(self, camera: Camera, quirks: Quirks) -> None:
        self._camera = camera
        self._quirks = quirks
        self.offered = tuple(row for row in PROPERTIES if not (row.of_recording and camera.recorder is None))
        self._told: list[Value] = [row.read(camera) for row in self.offered]

    def news(self) -> list[Notification]:
        """What changed since the last call."""
        told, news = self._told, []
        for index, row in enumerate(self.offered):
            value = row.read(self._camera)
            if _worth_telling(row, told[index], value):
                told[index] = value
                news.append(self._tell(row, value, Operation.CHANGED))
        return news

    def value_of(self, row: Property) -> Value:
        """What was told last of an offered property."""
        return self._told[self.offered.index(row)]

    def everything(self) -> list[Notification]:
        """All properties, as a new subscriber gets them."""
        return [
            self._tell(row, value, Operation.INITIALIZED) for row, value in zip(self.offered, self._told, strict=True)
        ]

    def event(self, topic: str, source: Items = (), data: Items = ()) -> Notification:
        """An event that is no property."""
        return notification(topic, self._camera.camera_ms, None, source, data, self._quirks)

    def _tell(self, row: Property, value: Value, why: Operation) -> Notification:
        data = ((row.data, self._word(row, value)),)
        return notification(row.topic, self._camera.camera_ms, why, row.source, data, self._quirks)

    def _word(self, row: Property, value: Value) -> str:
        if isinstance(value, bool):
            return _TRUTH[row.style][value] if self._quirks.capital_booleans else str(value).lower()
        if isinstance(value, float):
            if row.topic == PROCESSOR:
                return f"{value * 100:.1f}" if self._quirks.processor_percent else f"{value:.3f}"
            return f"{value:.1f}"
        return value


def _worth_telling(row: Property, told: Value, value: Value) -> bool:
    if isinstance(value, float) and isinstance(told, float):
        return abs(value - told) >= row.step
    return value != told
