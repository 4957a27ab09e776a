"""Devices over HTTP: list with health, one with its functions, its readings, their history, its events."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from collector.fleet import Device
from collector.queries import LatestReading
from console.api.buckets import path_buckets, refuse_too_many
from console.api.device_models import (
    BucketsQuery,
    DeviceBuckets,
    DeviceDetail,
    DeviceEvent,
    DeviceEvents,
    DeviceEventsQuery,
    DeviceHistory,
    DevicePage,
    DevicePath,
    DeviceQuery,
    DeviceReadings,
    DeviceSummary,
    FaultCounts,
    FunctionView,
    HealthView,
    HistoryPoint,
    HistoryQuery,
    ReadingView,
)
from console.api.endpoint import AnyEndpoint, Call, Endpoint, Nothing
from console.api.faults import read_page
from console.api.functions import functions_of
from console.api.health import UPLINK, Health, HealthReason, SignalState, derive_health
from console.api.missing import MissingView
from console.api.paging import MOST, cursor_of, key_of
from console.api.ports import Faults, Fleet, MissingReadings, Readings
from console.api.problem import NOT_FOUND
from contracts.devices import KINDS
from contracts.errors import NotFound
from contracts.faults import SEVERITY_NUMBER, FaultState
from contracts.identity import GATEWAY_DEVICE
from rules.faults import FaultView
from rules.lifecycle import UNACKNOWLEDGED_STATES
from runtime.clock import Clock

_PRESENT = frozenset({FaultState.UNACKNOWLEDGED, FaultState.ACKNOWLEDGED})
_BLIND = frozenset({HealthReason.NEVER_REPORTED, HealthReason.GATEWAY_OFFLINE, HealthReason.STALE})


class DeviceHandlers:
    """What the endpoints do."""

    def __init__(
        self, fleet: Fleet, readings: Readings, missing: MissingReadings, faults: Faults, clock: Clock
    ) -> None:
        self._fleet = fleet
        self._readings = readings
        self._missing = missing
        self._faults = faults
        self._clock = clock

    async def list(self, call: Call[Nothing, DeviceQuery, Nothing]) -> DevicePage:
        query = call.query
        after = key_of(query.cursor) or ""
        standing = await self._standing(query.branch_id, None)
        shown: list[DeviceSummary] = []
        more = False
        for device in self._fleet.devices(query.branch_id):
            if device.device_id <= after or query.kind not in {None, device.kind}:
                continue
            summary = self._summary(device, standing.get(device.device_id, ()))
            if query.health and summary.health.condition not in query.health:
                continue
            if len(shown) == query.limit:
                more = True
                break
            shown.append(summary)
        return DevicePage(items=tuple(shown), next_cursor=cursor_of(shown[-1].device_id) if more else None)

    async def get(self, call: Call[DevicePath, Nothing, Nothing]) -> DeviceDetail:
        device = self._device(call.path)
        standing = await self._standing(device.branch_id, device.device_id)
        summary = self._summary(device, standing.get(device.device_id, ()))
        functions = functions_of(
            device.kind,
            _states(self._readings.latest(device.device_id)),
            known=summary.health.reason not in _BLIND,
            reachable=summary.health.reason is not HealthReason.UNREACHABLE,
        )
        return DeviceDetail(
            **summary.model_dump(),
            maker=device.maker,
            model=device.model,
            serial=device.serial,
            firmware=device.firmware,
            driver=device.driver,
            announced_at_ms=device.announced_at_ms,
            removed_at_ms=device.removed_at_ms,
            functions=tuple(
                FunctionView(name=function.name, name_en=function.en, name_zh=function.zh, state=state)
                for function, state in functions
            ),
        )

    async def readings(self, call: Call[DevicePath, Nothing, Nothing]) -> DeviceReadings:
        device = self._device(call.path)
        items = tuple(_reading(item) for item in self._readings.latest(device.device_id))
        return DeviceReadings(device_id=device.device_id, items=items)

    async def history(self, call: Call[DevicePath, HistoryQuery, Nothing]) -> DeviceHistory:
        device, query = self._device(call.path), call.query
        to_ms = self._clock.now_ms() + 1 if query.to_ms is None else query.to_ms
        found = await self._readings.history(device.device_id, query.path, query.from_ms, to_ms, query.limit + 1)
        shown = found.points[-query.limit :]
        return DeviceHistory(
            device_id=device.device_id,
            path=query.path,
            unit=found.signal.unit,
            items=tuple(HistoryPoint.model_validate(point) for point in shown),
            earlier_to_ms=shown[0].observed_at_ms if len(found.points) > len(shown) else None,
            missing=await self._missing_of(device, query.from_ms, to_ms),
        )

    async def buckets(self, call: Call[DevicePath, BucketsQuery, Nothing]) -> DeviceBuckets:
        device, query = self._device(call.path), call.query
        to_ms = self._clock.now_ms() + 1 if query.to_ms is None else query.to_ms
        refuse_too_many(query, to_ms)
        found = await self._readings.buckets(device.device_id, query.path, query.from_ms, to_ms, query.bucket_s * 1000)
        return DeviceBuckets(
            device_id=device.device_id,
            bucket_s=query.bucket_s,
            signals=tuple(path_buckets(item) for item in found),
            missing=await self._missing_of(device, query.from_ms, to_ms),
        )

    async def events(self, call: Call[DevicePath, DeviceEventsQuery, Nothing]) -> DeviceEvents:
        device, query = self._device(call.path), call.query
        to_ms = self._clock.now_ms() + 1 if query.to_ms is None else query.to_ms
        events = await self._readings.events(device.device_id, query.from_ms, to_ms, query.limit)
        items = tuple(DeviceEvent.model_validate(event) for event in reversed(events))
        return DeviceEvents(device_id=device.device_id, items=items)

    async def _missing_of(self, device: Device, from_ms: int, to_ms: int) -> tuple[MissingView, ...]:
        found = await self._missing.within(device.branch_id, from_ms, to_ms)
        return tuple(MissingView.model_validate(item) for item in found)

    def _device(self, path: DevicePath) -> Device:
        device = self._fleet.device(path.device_id)
        if device is None:
            raise NotFound(f"device {path.device_id}: no gateway announced it; see /api/v1/devices")
        return device

    def _summary(self, device: Device, faults: Sequence[FaultView]) -> DeviceSummary:
        latest = self._readings.latest(device.device_id)
        active = [fault.severity for fault in faults if fault.state in _PRESENT]
        health = self._health(device, latest, faults)
        kind = KINDS[device.kind]
        return DeviceSummary(
            device_id=device.device_id,
            branch_id=device.branch_id,
            local_id=device.local_id,
            kind=device.kind,
            kind_en=kind.en,
            kind_zh=kind.zh,
            name=device.name,
            health=HealthView.model_validate(health),
            faults=FaultCounts(
                active=len(active),
                unacknowledged=sum(fault.state in UNACKNOWLEDGED_STATES for fault in faults),
                worst_severity=min(active, key=SEVERITY_NUMBER.__getitem__, default=None),
            ),
            observed_at_ms=max((item.observed_at_ms for item in latest), default=None),
        )

    def _health(self, device: Device, latest: Sequence[LatestReading], faults: Sequence[FaultView]) -> Health:
        gateway = self._fleet.gateways.get(device.branch_id)
        return derive_health(
            _states(latest),
            [fault.severity for fault in faults if fault.state in _PRESENT],
            gateway_online=None if gateway is None else gateway.online,
            is_gateway=device.local_id == GATEWAY_DEVICE,
        )

    async def _standing(self, branch_id: str | None, device_id: str | None) -> Mapping[str, Sequence[FaultView]]:
        """Faults that are not over, by device."""
        by_device: defaultdict[str, list[FaultView]] = defaultdict(list)
        before_id = None
        while True:
            page = await read_page(
                self._faults, "standing", branch_id=branch_id, device_id=device_id, limit=MOST, before_id=before_id
            )
            for fault in page:
                by_device[fault.device_id].append(fault)
            if len(page) < MOST:
                return by_device
            before_id = page[-1].id


def _states(latest: Sequence[LatestReading]) -> list[SignalState]:
    return [
        SignalState(item.path, item.word, item.condition, item.stale)
        for item in latest
        if item.word is not None and item.condition is not None
    ]


def _reading(item: LatestReading) -> ReadingView:
    signal = item.signal
    return ReadingView(
        path=item.path,
        name_en=signal.en,
        name_zh=signal.zh,
        sort=signal.sort,
        unit=signal.unit,
        value=item.value,
        word=item.word,
        condition=item.condition,
        observed_at_ms=item.observed_at_ms,
        stale=item.stale and item.path != UPLINK,
    )


def endpoints(
    fleet: Fleet, readings: Readings, missing: MissingReadings, faults: Faults, clock: Clock
) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = DeviceHandlers(fleet, readings, missing, faults, clock)
    one = "/api/v1/devices/{branch_id}/{local_id}"
    return (
        Endpoint(
            "GET", "/api/v1/devices", "listDevices", "Devices with their health, ordered by id",
            (Nothing, DeviceQuery, Nothing), DevicePage, handlers.list,
        ),
        Endpoint(
            "GET", one, "getDevice", "One device: health, identity, functions",
            (DevicePath, Nothing, Nothing), DeviceDetail, handlers.get, (NOT_FOUND,),
        ),
        Endpoint(
            "GET", f"{one}/readings", "getDeviceReadings", "Newest reading of every signal",
            (DevicePath, Nothing, Nothing), DeviceReadings, handlers.readings, (NOT_FOUND,),
        ),
        Endpoint(
            "GET", f"{one}/history", "getDeviceHistory", "Readings of one signal over time",
            (DevicePath, HistoryQuery, Nothing), DeviceHistory, handlers.history, (NOT_FOUND,),
        ),
        Endpoint(
            "GET", f"{one}/buckets", "getDeviceBuckets", "Readings of some signals summed up by time",
            (DevicePath, BucketsQuery, Nothing), DeviceBuckets, handlers.buckets, (NOT_FOUND,),
        ),
        Endpoint(
            "GET", f"{one}/events", "getDeviceEvents", "Texts the device sent",
            (DevicePath, DeviceEventsQuery, Nothing), DeviceEvents, handlers.events, (NOT_FOUND,),
        ),
    )  # fmt: skip
