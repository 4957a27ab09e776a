"""What the collector itself observes of a gateway: its connection and its missing packs, as readings like any other."""

from collector.columns import Columns
from collector.fleet import GATEWAY_KIND, device_id_of_gateway
from collector.latest import LatestValues
from collector.series import MISSING_PACKS, UPLINK_STATE, SeriesRegistry
from contracts.devices import GATEWAY


def _row_heartbeat_ms(path: str) -> int:
    signal = GATEWAY.signal(path)
    if signal is None or signal.heartbeat_s is None:
        raise LookupError(f"device catalogue: gateway has no {path} with a heartbeat")
    return signal.heartbeat_s * 1000


def _ordinal(word: str) -> int:
    signal = GATEWAY.signal(UPLINK_STATE)
    number = None if signal is None else signal.ordinal(word)
    if number is None:
        raise LookupError(f"device catalogue: {UPLINK_STATE} lists no state {word!r}")
    return number


_STATE_HEARTBEAT_MS = _row_heartbeat_ms(UPLINK_STATE)
_MISSING_HEARTBEAT_MS = _row_heartbeat_ms(MISSING_PACKS)
_CONNECTED = _ordinal("connected")
_DISCONNECTED = _ordinal("disconnected")


class UplinkSignals:
    """Adds a reading where the value changed or its heartbeat is due.

    It remembers what it added, because a batch is in memory before it is in :class:`LatestValues`.
    """

    def __init__(self, registry: SeriesRegistry, latest: LatestValues) -> None:
        self._registry = registry
        self._latest = latest
        self._added: dict[int, tuple[int, float]] = {}
        self._numbers: dict[tuple[str, str], int] = {}  # asked for at every review of every gateway

    def connection(self, branch_id: str, *, online: bool, at_ms: int, columns: Columns) -> None:
        """Report whether a gateway is connected."""
        value = float(_CONNECTED if online else _DISCONNECTED)
        self._report(branch_id, UPLINK_STATE, value, at_ms, _STATE_HEARTBEAT_MS, columns)

    def missing_packs(self, branch_id: str, count: int, at_ms: int, columns: Columns) -> None:
        """Report how many packs of a gateway are missing."""
        self._report(branch_id, MISSING_PACKS, float(count), at_ms, _MISSING_HEARTBEAT_MS, columns)

    def _report(self, branch_id: str, path: str, value: float, at_ms: int, heartbeat_ms: int, columns: Columns) -> None:
        series = self._numbers.get((branch_id, path))
        if series is None:
            series = self._numbers[branch_id, path] = self._take(branch_id, path)
        last = self._added.get(series) or self._latest.get(series)
        if last is not None:
            last_at_ms, last_value = last
            if value == last_value and at_ms - last_at_ms < heartbeat_ms:
                return
            at_ms = max(at_ms, last_at_ms + 1)  # a gateway's clock may lag behind ours; order is what counts
        self._added[series] = (at_ms, value)
        columns.add(series, at_ms, value)

    def _take(self, branch_id: str, path: str) -> int:
        info = self._registry.take(device_id_of_gateway(branch_id), GATEWAY_KIND, path)
        if info is None:
            raise LookupError(f"device catalogue: gateway has no {path}")
        return info.series
