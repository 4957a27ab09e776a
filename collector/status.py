"""How the intake stands: of each gateway, and of the store behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.fleet import Fleet
from collector.gaps import Gaps
from collector.intervals import IntervalSet
from collector.ledger import Ledger
from collector.reception import Reception
from collector.review import IntakeReview, OpenHoles
from collector.settings import RetentionSettings
from collector.store import Damage


@dataclass(frozen=True, slots=True)
class StoreState:
    """How the time-series store stands.

    Attributes:
        kind: which one it is, as the settings name it.
        position: number of its newest commit.
        replayable_from: commits after this one are known one by one, those up to it are put in order.
        series: how many it holds.
        retention: how long it keeps what.
        waits_for: what the intake waits for now; empty when it is ready.
        damages: parts that cannot be read, oldest first.
    """

    kind: str
    position: int
    replayable_from: int
    series: int
    retention: RetentionSettings
    waits_for: Sequence[str]
    damages: Sequence[Damage]


@dataclass(frozen=True, slots=True)
class GatewayIntake:
    """How the intake of a gateway stands.

    Attributes:
        branch_id: its branch.
        online: connected, as the broker says; ``None`` where it never said.
        boot: identity of its outbox, empty where it never said.
        since_ms: when the connection or its absence began, ``None`` where it never said.
        version: version of its software.
        committed_packs: packs in the store, over all boot identities.
        last_seq: highest committed seq of the present boot identity.
        duplicates_dropped: packs that came again, since this process started.
        open_holes: holes older than the grace time.
        missing_packs: packs in them.
        gap_packs: packs given up that have not come since.
        dropped_readings: readings the gateway had to drop before it could send them.
    """

    branch_id: str
    online: bool | None
    boot: str
    since_ms: int | None
    version: str
    committed_packs: int
    last_seq: int | None
    duplicates_dropped: int
    open_holes: int
    missing_packs: int
    gap_packs: int
    dropped_readings: int


class IntakeStatus:
    """Puts together what is known of each gateway."""

    def __init__(self, fleet: Fleet, ledger: Ledger, gaps: Gaps, reception: Reception, review: IntakeReview) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._gaps = gaps
        self._reception = reception
        self._review = review

    def all(self) -> list[GatewayIntake]:
        """Every gateway that announced itself or sent a pack, ordered by branch."""
        committed: dict[str, dict[str, IntervalSet]] = {branch_id: {} for branch_id in self._fleet.gateways}
        for device in self._fleet.devices():
            committed.setdefault(device.branch_id, {})
        for (branch_id, boot), runs in self._ledger.committed.items():
            committed.setdefault(branch_id, {})[boot] = runs
        return [self._of(branch_id, committed[branch_id]) for branch_id in sorted(committed)]

    def _of(self, branch_id: str, committed: Mapping[str, IntervalSet]) -> GatewayIntake:
        state = self._fleet.gateways.get(branch_id)
        present = committed.get(state.boot) if state is not None else None
        given_up = 0
        for boot, runs in committed.items():
            for low, high in self._gaps.of(branch_id, boot):
                given_up += sum(last - first + 1 for first, last in runs.missing(low, high))
        holes = self._review.open.get(branch_id, OpenHoles())
        return GatewayIntake(
            branch_id=branch_id,
            online=None if state is None else state.online,
            boot="" if state is None else state.boot,
            since_ms=None if state is None else state.since_ms,
            version="" if state is None else state.version,
            committed_packs=sum(runs.size() for runs in committed.values()),
            last_seq=None if present is None else present.highest,
            duplicates_dropped=self._reception.duplicates[branch_id],
            open_holes=holes.holes,
            missing_packs=holes.missing_packs,
            gap_packs=given_up,
            dropped_readings=self._gaps.dropped(branch_id),
        )
