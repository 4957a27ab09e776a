"""An event subscription at a camera: made, pulled, renewed and given back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.errors import DeviceMisbehaved, DeviceRefused
from gateway.drivers.onvif.camera_client import EVENTS, CameraClient
from gateway.drivers.onvif.notification import Notification
from gateway.drivers.onvif.topics import normalise

MESSAGES_MOST: Final = 100
"""Messages asked for at a time."""

_TAKEN_MOST: Final = 1000
_ITEMS_MOST: Final = 32
_VALUE_MOST: Final = 256
_SHORTEST_S: Final = 2.0
_ADDRESS: Final = f"{EVENTS}/PullPointSubscription"


class PullPoint:
    """A subscription. Lives on one :class:`CameraClient`, whose errors its calls raise.

    Args:
        client: the camera.
        lifetime_s: lifetime asked for.
    """

    def __init__(self, client: CameraClient, lifetime_s: float) -> None:
        self._client = client
        self._lifetime = timedelta(seconds=lifetime_s)
        self._subscription: Any = None
        self._service: Any = None

    async def subscribe(self) -> float:
        """Make the subscription.

        Returns:
            Seconds it lives.

        Raises:
            DeviceRefused: the camera has no events, or no room for another subscription.
        """
        camera, ask = self._client.camera, self._client.ask
        if not self._client.has(EVENTS):
            raise DeviceRefused("the camera has no event service")
        events = await ask(camera.create_events_service)
        until = camera.get_next_termination_time(self._lifetime)
        answer = await ask(events.CreatePullPointSubscription, {"InitialTerminationTime": until})
        address = _address_of(answer)
        camera.xaddrs[_ADDRESS] = self._client.reachable(address)
        self._subscription = await ask(lambda: camera.create_subscription_service("PullPointSubscription"))
        self._service = await ask(camera.create_pullpoint_service)
        return await self._lifetime_s(answer)

    async def _lifetime_s(self, answer: Any) -> float:
        """Seconds granted; a camera that misread the time asked for is asked once more, with an absolute one."""
        now, until = getattr(answer, "CurrentTime", None), getattr(answer, "TerminationTime", None)
        camera = self._client.camera
        if not isinstance(now, datetime) or not isinstance(until, datetime):
            return self._lifetime.total_seconds()
        if (now.tzinfo is None) != (until.tzinfo is None):
            now, until = now.replace(tzinfo=None), until.replace(tzinfo=None)
        already_absolute = camera.get_next_termination_time(self._lifetime).startswith("2")
        if not already_absolute and camera.has_broken_relative_time(self._lifetime, now, until):
            return await self.renew()
        return max(_SHORTEST_S, min((until - now).total_seconds(), 86_400.0))

    async def synchronise(self) -> None:
        """Have the state of every property sent again; a camera that cannot, sends changes only."""
        try:
            await self._client.ask(self._service.SetSynchronizationPoint)
        except DeviceRefused:
            return

    async def pull(self, wait_s: float) -> list[Notification]:
        """Wait for messages; empty where none came in that time."""
        params = {"MessageLimit": MESSAGES_MOST, "Timeout": timedelta(seconds=wait_s)}
        answer = await self._client.ask(self._service.PullMessages, params)
        return list(_notifications(answer))

    async def renew(self) -> float:
        """Renew; returns seconds it lives from now."""
        until = self._client.camera.get_next_termination_time(self._lifetime)
        answer = await self._client.ask(self._subscription.Renew, {"TerminationTime": until})
        return await self._lifetime_s(answer)

    async def unsubscribe(self) -> None:
        """Give the subscription back: a camera has few and cannot be asked for a list of them."""
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            await self._client.ask(subscription.Unsubscribe)


def _address_of(answer: Any) -> str:
    address = getattr(getattr(getattr(answer, "SubscriptionReference", None), "Address", None), "_value_1", None)
    if not isinstance(address, str) or not address.strip():
        raise DeviceMisbehaved("CreatePullPointSubscription is answered without the subscription's address")
    return address.strip()


def _notifications(answer: Any) -> Iterator[Notification]:
    """What can be read of a pull; a message without topic or content is passed over."""
    for message in list(getattr(answer, "NotificationMessage", None) or ())[:_TAKEN_MOST]:
        topic = getattr(getattr(message, "Topic", None), "_value_1", None)
        content = getattr(getattr(message, "Message", None), "_value_1", None)
        if isinstance(topic, str) and content is not None:
            operation = getattr(content, "PropertyOperation", None)
            yield Notification(
                normalise(topic)[:_VALUE_MOST],
                operation if isinstance(operation, str) else "",
                _items(getattr(content, "Source", None)),
                _items(getattr(content, "Data", None)),
            )


def _items(part: Any) -> dict[str, str]:
    items: dict[str, str] = {}
    for item in list(getattr(part, "SimpleItem", None) or ())[:_ITEMS_MOST]:
        name, value = getattr(item, "Name", None), getattr(item, "Value", None)
        if isinstance(name, str) and isinstance(value, str):
            items[name[:_VALUE_MOST]] = value[:_VALUE_MOST]
    return items
