"""Other deadbands and heartbeats than the device catalogue's, by setting."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import Field

from contracts.devices import KINDS
from contracts.signals import Deadband, DeviceKind, Signal
from runtime.settings import Section

TEMPLATES: Final = frozenset(row.path for kind in KINDS.values() for row in kind.signals)
"""Signal paths of the catalogue, as its rows name them: ``cdm/unit{n}/count``."""


class ReportingSettings(Section):
    """How often a signal is reported; what is left out stays as the catalogue says."""

    deadband: float | None = Field(default=None, ge=0, description="smallest move of a gauge, in its unit")
    heartbeat_s: int | None = Field(
        default=None, ge=1, description="seconds until an unchanged value is reported again"
    )


def with_reporting(kind: DeviceKind, reporting: Mapping[str, ReportingSettings]) -> DeviceKind:
    """A kind whose signals report as the settings say; the same kind where they say nothing of it."""
    rows = tuple(_with(row, reporting[row.path]) if row.path in reporting else row for row in kind.signals)
    return kind if rows == kind.signals else DeviceKind(kind.name, kind.en, kind.zh, rows)


def _with(row: Signal, wanted: ReportingSettings) -> Signal:
    return replace(
        row,
        deadband=row.deadband if wanted.deadband is None else Deadband(absolute=wanted.deadband),
        heartbeat_s=row.heartbeat_s if wanted.heartbeat_s is None else wanted.heartbeat_s,
    )
