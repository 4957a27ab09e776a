"""A scenario: a time line of failures, who repairs them, and what has to come of it.

The same file drives a demonstration and a test. Times are real seconds from its beginning.
"""

from datetime import datetime, time
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contracts.errors import ConfigurationError
from runtime.wording import wording
from simulators.world import CHINA


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Part):
    """What has to come of a step.

    Attributes:
        rule: the rule that has to raise a fault.
        device: local id of the device it is raised on; the injected one unless said otherwise.
        cleared: whether the fault has to be over before the end.
        closed: whether the work order has to be closed, repaired and verified, before the end.
    """

    rule: str
    device: str | None = None
    cleared: bool = False
    closed: bool = False


class Step(_Part):
    """Something that happens: to a device (``inject``), to a branch (``strike``) or to its line (``cut_line_s``).

    Attributes:
        name: name in reports.
        at_s: when, in seconds from the beginning.
        branch: which branch, from 1; counted round where there are fewer.
        device: local id of the device that fails; ``None`` where the branch or its line does.
        inject: name of the device's failure.
        strike: name of what befalls the branch.
        cut_line_s: how long the branch's line to the broker is cut.
        over_after_s: seconds after which it is over by itself; ``None`` where it stays until somebody repairs it.
        technician: whether a technician comes for the work order and repairs.
        expect: what has to come of it; a single thing needs no list.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    at_s: float = Field(ge=0)
    branch: int = Field(ge=1)
    device: str | None = None
    inject: str | None = None
    strike: str | None = None
    cut_line_s: float | None = Field(default=None, gt=0)
    over_after_s: float | None = Field(default=None, gt=0)
    technician: bool = False
    expect: tuple[Expected, ...] = Field(min_length=1)

    @field_validator("expect", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        return value if isinstance(value, (list, tuple)) else [value]

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if [self.inject, self.strike, self.cut_line_s].count(None) != 2:
            raise ValueError("expected one of inject (with device), strike and cut_line_s")
        if (self.inject is None) != (self.device is None):
            raise ValueError("inject and device belong together")
        if self.technician and self.device is None:
            raise ValueError("a technician repairs a device; expected inject and device")
        if self.over_after_s is not None and (self.technician or self.cut_line_s is not None):
            raise ValueError("over_after_s goes with inject or strike, and without technician")
        for expected in self.expect:
            if expected.device is None and self.device is None:
                raise ValueError(f"expect of {expected.rule}: say the device; there is no injected one")
        return self

    def device_of(self, expected: Expected) -> str:
        """Local id of the device the fault has to be raised on."""
        return expected.device or self.device or ""

    @property
    def ends_s(self) -> float:
        """When it is over or, where it stays, when it begins."""
        return self.at_s + (self.cut_line_s or self.over_after_s or 0.0)


class Scenario(_Part):
    """A time line over simulated branches.

    Attributes:
        name: name.
        title_en: what it shows.
        title_zh: the same in Chinese.
        begin_at: local time of day at which the simulated day begins.
        end_at: local time of day at which the next simulated day begins, so that there is no night; ``None`` for nights.
        pace: how much faster than real people visit and withdraw.
        needs_s: shortest duration in which everything expected can come about.
        rules: overrides of rule parameters, so that delays of minutes fit into it.
        opening_hours: opening hours of the branches, as the rules have them in their settings.
        gateway: settings every gateway of the scenario gets on top of its devices.
        drivers: settings every connection of a driver gets, by the driver's short name.
        poll_s: how often drivers read polled devices.
        steps: what happens.
    """

    name: str
    title_en: str
    title_zh: str
    begin_at: time
    end_at: time | None = None
    pace: float = Field(gt=0)
    needs_s: float = Field(gt=0)
    rules: dict[str, dict[str, Any]] = Field(default_factory=dict)
    opening_hours: dict[str, Any] = Field(default_factory=dict)
    gateway: dict[str, Any] = Field(default_factory=dict)
    drivers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    poll_s: float = Field(default=30, gt=0, le=900)
    steps: tuple[Step, ...]

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        if self.day_s is not None and self.day_s <= 0:
            raise ValueError(f"end_at {self.end_at} is not after begin_at {self.begin_at}")
        for step in self.steps:
            if step.at_s >= self.needs_s:
                raise ValueError(f"step {step.name} at {step.at_s:g} s is not within needs_s = {self.needs_s:g} s")
            if step.ends_s >= self.needs_s:
                raise ValueError(f"step {step.name} ends at {step.ends_s:g} s, not within needs_s = {self.needs_s:g} s")
        names = [step.name for step in self.steps]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two steps are named {name}; reports tell them apart by their names")
        return self

    @property
    def branches(self) -> int:
        """How many branches it speaks of."""
        return max((step.branch for step in self.steps), default=1)

    @property
    def day_s(self) -> float | None:
        """Seconds from ``begin_at`` to ``end_at``."""
        if self.end_at is None:
            return None
        hours, minutes = self.end_at.hour - self.begin_at.hour, self.end_at.minute - self.begin_at.minute
        return float(hours * 3600 + minutes * 60)

    def begins_at(self, today: datetime) -> datetime:
        """Local time at which the simulated day begins."""
        return datetime.combine(today.date(), self.begin_at, CHINA)


def scenario_names() -> list[str]:
    """Names of the scenarios that come with Branchwatch."""
    folder = files("simulators") / "scenarios"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_scenario(name_or_path: str) -> Scenario:
    """Read a scenario by its name, or from a YAML file.

    Raises:
        ConfigurationError: there is none, or it is not sound; the message says where and what is allowed.
    """
    if name_or_path in scenario_names():
        text = (files("simulators") / "scenarios" / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(name_or_path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            known = ", ".join(scenario_names())
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise ConfigurationError(
                f"scenario {name_or_path!r} cannot be read: {reason}; those included are: {known}"
            ) from error
    try:
        return Scenario.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"scenario {name_or_path}: not YAML: {error}") from error
    except ValidationError as error:
        problems = "\n".join(
            f"scenario {name_or_path}: {'.'.join(map(str, problem['loc'])) or 'file'}: {wording(problem)}"
            for problem in error.errors(include_url=False)
        )
        raise ConfigurationError(problems) from error
