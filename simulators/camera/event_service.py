"""The event service: pull points that are opened, pulled, renewed and closed.

Source: ONVIF Core specification, "Real-time Pull-Point Notification Interface"; OASIS WS-BaseNotification 1.3.
"""

import asyncio
from collections.abc import Callable
from html import escape
from typing import Final

from runtime.clock import Clock
from simulators.camera.device_service import Address
from simulators.camera.model import Camera
from simulators.camera.notifications import Publication
from simulators.camera.properties import EVENTS, Value, stamp
from simulators.camera.quirks import Quirks
from simulators.camera.soap import Call, SoapFault, duration_s, invalid, life_ms
from simulators.camera.subscriptions import SLOTS, PullPoint, PullPoints

SUBSCRIPTION: Final = "subscription"
DEFAULT_LIFE_MS: Final = 60_000
LONGEST_LIFE_MS: Final = 3_600_000
LONGEST_PULL_S: Final = 60.0
MOST_MESSAGES: Final = 100
"""Limits. Source: assumed."""

LONGEST_SILENCE_S: Final = 120.0
"""How long a hung service keeps a connection open without an answer."""

_TOPIC_DIALECT = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
_TYPES: dict[type[Value], str] = {bool: "xs:boolean", float: "xs:float", str: "xs:string"}


class Silence(Exception):  # noqa: N818  (not an error of ours: the camera means to end the connection without an answer)
    """The connection ends without an answer."""


class EventService:
    """Answers the event service's calls.

    Args:
        camera: whom it speaks for.
        publication: what there is to tell of it.
        points: its subscriptions.
        quirks: of the camera.
        clock: the real time.
        look: brings camera and subscriptions up to date.
    """

    def __init__(
        self,
        camera: Camera,
        publication: Publication,
        points: PullPoints,
        quirks: Quirks,
        clock: Clock,
        look: Callable[[], None],
    ) -> None:
        self._camera = camera
        self._publication = publication
        self._points = points
        self._quirks = quirks
        self._clock = clock
        self._look = look
        self._hung: asyncio.Event | None = None
        self._topic_set = _topic_set(publication)

    def hang(self) -> None:
        """Answer nothing any more."""
        if self._hung is None:
            self._hung = asyncio.Event()

    def restart(self) -> None:
        """Come back; whoever was subscribed is forgotten, and told so where it still waits for an answer."""
        hung, self._hung = self._hung, None
        if hung is not None:
            hung.set()
            self._points.end_all()

    async def create(self, call: Call, at: Address) -> str:
        """Answer ``CreatePullPointSubscription``.

        Raises:
            SoapFault: no slot is free, or an argument cannot be granted.
            Silence: the service hung for too long.
        """
        await self._alive()
        life = self._grant(call.text("tev:InitialTerminationTime"))
        expression = call.text("tev:Filter/wsnt:TopicExpression") or ""
        topics = tuple(part.strip().removeprefix("tns1:") for part in expression.split("|") if part.strip())
        point = self._points.create(self._clock.now_ms(), life, topics)
        if point is None:
            reason = f"all {SLOTS} pull points are taken"
            raise SoapFault(
                ("wsnt:SubscribeCreationFailedFault",),
                reason,
                f"<wsnt:SubscribeCreationFailedFault>{self._trouble(reason)}</wsnt:SubscribeCreationFailedFault>",
                receiver=True,
            )
        point.offer(self._publication.everything())
        address = escape(at.http(f"{SUBSCRIPTION}?Idx={point.number}"))
        return (
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
            f"<wsa:Address>{address}</wsa:Address></tev:SubscriptionReference>"
            f"{self._times(point, 'wsnt')}</tev:CreatePullPointSubscriptionResponse>"
        )

    async def pull(self, call: Call, number: int) -> str:
        """Answer ``PullMessages``: at once where something waits, else when something comes or the time is over.

        Raises:
            SoapFault: no such subscription, or it ended meanwhile.
            Silence: nothing came and this camera then just hangs up, or the service hung for too long.
        """
        await self._alive()
        timeout_s = min(LONGEST_PULL_S, duration_s(call.text("tev:Timeout") or ""))
        limit = call.text("tev:MessageLimit") or ""
        if not limit.isdecimal() or not 0 < len(limit) < 10 or int(limit) == 0:
            raise invalid(f"MessageLimit {limit[:20]!r}: expected a number from 1")
        point = self._find(number)
        try:
            async with asyncio.timeout(timeout_s):
                await point.stirred.wait()
        except TimeoutError:
            self._look()
        await self._alive()
        messages = point.take(min(MOST_MESSAGES, int(limit)))
        if not messages and point.ended:
            raise _unknown(number)
        if not messages and self._quirks.closes_on_empty_pull:
            raise Silence
        told = "".join(message.xml for message in messages)
        return f"<tev:PullMessagesResponse>{self._times(point, 'tev')}{told}</tev:PullMessagesResponse>"

    async def synchronize(self, number: int) -> str:
        """Answer ``SetSynchronizationPoint``: all properties are told once more.

        Raises:
            SoapFault: no such subscription.
            Silence: the service hung for too long.
        """
        await self._alive()
        self._find(number).offer(self._publication.everything())
        return "<tev:SetSynchronizationPointResponse/>"

    async def renew(self, call: Call, number: int) -> str:
        """Answer ``Renew``.

        Raises:
            SoapFault: no such subscription, or the time cannot be granted.
            Silence: the service hung for too long.
        """
        await self._alive()
        point = self._find(number)
        point.expires_ms = self._clock.now_ms() + self._grant(call.text("wsnt:TerminationTime"))
        until, now = self._until(point), stamp(self._camera.camera_ms)
        return (
            f"<wsnt:RenewResponse><wsnt:TerminationTime>{until}</wsnt:TerminationTime>"
            f"<wsnt:CurrentTime>{now}</wsnt:CurrentTime></wsnt:RenewResponse>"
        )

    async def unsubscribe(self, number: int) -> str:
        """Answer ``Unsubscribe``.

        Raises:
            SoapFault: no such subscription.
            Silence: the service hung for too long.
        """
        await self._alive()
        self._points.end(self._find(number))
        return "<wsnt:UnsubscribeResponse/>"

    async def properties(self) -> str:
        """Answer ``GetEventProperties``: which topics this camera has.

        Raises:
            Silence: the service hung for too long.
        """
        await self._alive()
        return (
            "<tev:GetEventPropertiesResponse>"
            "<tev:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml</tev:TopicNamespaceLocation>"
            f"<wsnt:FixedTopicSet>true</wsnt:FixedTopicSet>{self._topic_set}"
            f"<wsnt:TopicExpressionDialect>{_TOPIC_DIALECT}</wsnt:TopicExpressionDialect>"
            "<tev:MessageContentFilterDialect>"
            "http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter</tev:MessageContentFilterDialect>"
            "<tev:MessageContentSchemaLocation>"
            "http://www.onvif.org/ver10/schema/onvif.xsd</tev:MessageContentSchemaLocation>"
            "</tev:GetEventPropertiesResponse>"
        )

    async def _alive(self) -> None:
        hung = self._hung
        if hung is None:
            return
        try:
            async with asyncio.timeout(LONGEST_SILENCE_S):
                await hung.wait()
        except TimeoutError:
            raise Silence from None

    def _find(self, number: int) -> PullPoint:
        point = self._points.find(number, self._clock.now_ms())
        if point is None:
            raise _unknown(number)
        return point

    def _grant(self, wanted: str | None) -> int:
        life = life_ms(wanted, self._camera.camera_ms) if wanted else DEFAULT_LIFE_MS
        if life <= 0:
            raise SoapFault(
                ("wsnt:UnacceptableInitialTerminationTimeFault",), f"{wanted} is over by the camera's clock"
            )
        if self._quirks.short_subscriptions:
            return int(min(life, self._quirks.short_subscription_s * 1000))
        return min(life, LONGEST_LIFE_MS)

    def _until(self, point: PullPoint) -> str:
        return stamp(self._camera.camera_ms + point.expires_ms - self._clock.now_ms())

    def _times(self, point: PullPoint, prefix: str) -> str:
        now = stamp(self._camera.camera_ms)
        return (
            f"<{prefix}:CurrentTime>{now}</{prefix}:CurrentTime>"
            f"<{prefix}:TerminationTime>{self._until(point)}</{prefix}:TerminationTime>"
        )

    def _trouble(self, reason: str) -> str:
        now = stamp(self._camera.camera_ms)
        return (
            f'<bf:Timestamp xmlns:bf="http://docs.oasis-open.org/wsrf/bf-2">{now}</bf:Timestamp>'
            f'<bf:Description xmlns:bf="http://docs.oasis-open.org/wsrf/bf-2">{escape(reason)}</bf:Description>'
        )


def _unknown(number: int) -> SoapFault:
    return SoapFault(("wsrf:ResourceUnknownFault",), f"no subscription {number}")


def _topic_set(publication: Publication) -> str:
    """``wstop:TopicSet`` of everything the camera may tell."""
    descriptions = {topic: _description(source, (), is_property=False) for topic, source in EVENTS.items()}
    for row in publication.offered:
        names = tuple(name for name, _ in row.source)
        data = ((row.data, _TYPES[type(publication.value_of(row))]),)
        descriptions[row.topic] = _description(names, data, is_property=True)
    tree: dict[str, object] = {}
    for topic, description in sorted(descriptions.items()):
        *branches, leaf = topic.split("/")
        node = tree
        for branch in branches:
            below = node.setdefault(branch, {})
            assert isinstance(below, dict)
            node = below
        node[leaf] = description
    return f"<wstop:TopicSet>{_branch(tree, 'tns1:')}</wstop:TopicSet>"


def _branch(node: dict[str, object], prefix: str) -> str:
    xml = ""
    for name, below in node.items():
        if isinstance(below, dict):
            xml += f"<{prefix}{name}>{_branch(below, '')}</{prefix}{name}>"
        else:
            xml += f'<{prefix}{name} wstop:topic="true">{below}</{prefix}{name}>'
    return xml


def _description(source: tuple[str, ...], data: tuple[tuple[str, str], ...], *, is_property: bool) -> str:
    sources = "".join(f'<tt:SimpleItemDescription Name="{name}" Type="tt:ReferenceToken"/>' for name in source)
    values = "".join(f'<tt:SimpleItemDescription Name="{name}" Type="{type_}"/>' for name, type_ in data)
    return (
        f'<tt:MessageDescription IsProperty="{str(is_property).lower()}">'
        f"<tt:Source>{sources}</tt:Source><tt:Data>{values}</tt:Data></tt:MessageDescription>"
    )
