"""Settings of the rules."""

from pathlib import Path

from pydantic import Field

from rules.opening_hours import OpeningHoursSettings
from rules.overrides import Override
from runtime.settings import Section
from runtime.time_zone import TimeZoneName


class RulesSettings(Section):
    """Which rules run, with which numbers, and how time passes for them."""

    directory: Path | None = Field(
        default=None, description="rule files; empty: the catalogue that comes with Branchwatch"
    )
    overrides: dict[str, Override] = Field(default={}, description="other numbers by rule id")
    opening_hours: OpeningHoursSettings = OpeningHoursSettings()
    zone: TimeZoneName = Field(default="+08:00", description="the branches' zone: an offset or an IANA name")
    tick_s: float = Field(default=0.2, gt=0, le=10, description="how often delays are looked at")
    late_s: float = Field(default=1.0, ge=0, le=60, description="how long a delay waits for readings under way")
    catch_up_s: float = Field(
        default=30.0, ge=0, le=600, description="longest wait for fresh readings while old ones are being worked off"
    )
    checkpoint_s: float = Field(default=5.0, gt=0, le=300, description="how often the position alone is stored")
