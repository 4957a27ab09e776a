"""What the services of one machine share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.signals import DeviceKind
from gateway.drivers.xfs4iot.claims import Claims
from gateway.drivers.xfs4iot.counters import Counters
from gateway.drivers.xfs4iot.link import Link
from gateway.drivers.xfs4iot.memory import Memory
from gateway.drivers.xfs4iot.parts import PartNumbers
from gateway.drivers.xfs4iot.report import Report
from gateway.drivers.xfs4iot.settings import Settings
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, kept across runs.

    Attributes:
        settings: how often to ask.
        kind: device kind.
        clock: stamps what is seen.
        counters: its counters.
        numbers: the numbers of its parts.
        claims: which service speaks for which component.
        link: how its connections stand.
        report: takes what is seen.
        somebody_came: called when vendor mode changes: whoever works at the machine touches more than they announce.
    """

    settings: Settings
    kind: DeviceKind
    clock: Clock
    counters: Counters
    numbers: PartNumbers
    claims: Claims
    link: Link
    report: Report
    somebody_came: Callable[[], None] = field(default=lambda: None)

    @property
    def components(self) -> frozenset[str]:
        """Components that machines of the kind are watched for."""
        return frozenset(signal.component for signal in self.kind.signals)


def machine_of(
    settings: Settings, kind: DeviceKind, clock: Clock, somebody_came: Callable[[], None] = lambda: None
) -> Machine:
    """A machine of which nothing is known yet."""
    counters = Counters(kind)
    link = Link(counters)
    numbers = PartNumbers(link.has_left)
    claims = Claims(settings.components, link.has_left)
    report = Report(kind, Memory(counters, numbers, claims))
    return Machine(settings, kind, clock, counters, numbers, claims, link, report, somebody_came)
