"""Faults over HTTP: list, one, acknowledge, reset."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from console.api.endpoint import AnyEndpoint, Call, Endpoint, Inputs, Nothing
from console.api.paging import PageQuery, cursor_of, id_of
from console.api.ports import Faults
from console.api.problem import CONFLICT, NOT_FOUND, ProblemKind
from console.api.work_orders import ActorName
from contracts.faults import FaultState, Severity
from rules.faults import FaultFilter
from rules.faults import FaultView as Fault
from rules.lifecycle import TransitionNotAllowed


class FaultPath(Inputs):
    """Which fault."""

    fault_id: Annotated[int, Field(ge=1, lt=2**63)]


NOT_ALLOWED: Final = ProblemKind(
    TransitionNotAllowed.code, 409, "The fault's state does not allow this", CONFLICT.next_step
)

FaultChoice = Literal["standing", "active", "unacknowledged", "all"]

_FILTERS: Final[dict[FaultChoice, tuple[FaultFilter, ...]]] = {
    "standing": (FaultFilter.ACTIVE, FaultFilter.UNACKNOWLEDGED),
    "active": (FaultFilter.ACTIVE,),
    "unacknowledged": (FaultFilter.UNACKNOWLEDGED,),
    "all": (FaultFilter.ALL,),
}


class FaultQuery(PageQuery):
    """Filters of the list; all that are given must hold."""

    state: FaultChoice = Field(
        default="standing",
        description="active: the condition or a latch holds; unacknowledged: nobody acknowledged it, active or not; "
        "standing: either of them; all",
    )
    branch_id: str | None = Field(default=None, max_length=32)
    device_id: str | None = Field(default=None, max_length=100)
    rule_id: str | None = Field(default=None, max_length=64)


class RuleText(BaseModel):
    """What a rule says about its faults in one language."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    cause: str
    consequence: str
    action: str = Field(description="what to do")


class FaultView(BaseModel):
    """A fault as it stands, with the texts of its rule."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    rule_id: str
    branch_id: str
    device_id: str
    component: str
    part: str = Field(description="matched part such as cdm/unit2; empty where the component alone is meant")
    family: str
    severity: Severity
    state: FaultState
    active: bool = Field(description="the condition or a latch holds")
    latches: bool = Field(description="it needs a reset after the condition is gone")
    title_en: str
    title_zh: str
    en: RuleText | None = Field(description="null where the rule is no longer loaded")
    zh: RuleText | None
    respond_s: float | None = Field(description="seconds within which somebody must act; 0 for at once")
    observed_at_ms: int = Field(description="when it began by observation time, delay included")
    raised_at_ms: int = Field(description="when it was raised, by the server's clock")
    detection_ms: int | None = Field(description="from the deciding reading to the fault; null where a timer decided")
    ended_observed_at_ms: int | None = Field(description="when the condition ended; null while it holds")
    cleared_at_ms: int | None
    acknowledged_at_ms: int | None
    acknowledged_by: str | None
    acknowledge_comment: str | None
    reset_at_ms: int | None
    reset_by: str | None
    reset_comment: str | None
    occurrences: int


class FaultPage(BaseModel):
    """Faults, newest first."""

    items: tuple[FaultView, ...]
    next_cursor: str | None


class FaultCommandBody(Inputs):
    """Who does it, and a remark."""

    actor: ActorName = "operator"
    comment: str = Field(default="", max_length=1000)


async def read_page(
    faults: Faults,
    wanted: FaultChoice,
    *,
    branch_id: str | None = None,
    device_id: str | None = None,
    rule_id: str | None = None,
    limit: int,
    before_id: int | None,
) -> Sequence[Fault]:
    """Faults of a choice, newest first, at most ``limit``, with ids below ``before_id``."""
    found: dict[int, Fault] = {}
    for state in _FILTERS[wanted]:
        page = await faults.list(
            state, branch_id=branch_id, device_id=device_id, rule_id=rule_id, limit=limit, before_id=before_id
        )
        found.update((fault.id, fault) for fault in page)
    return [found[fault_id] for fault_id in sorted(found, reverse=True)[:limit]]


class FaultHandlers:
    """What the endpoints do."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def list(self, call: Call[Nothing, FaultQuery, Nothing]) -> FaultPage:
        query = call.query
        faults = await read_page(
            self._faults,
            query.state,
            branch_id=query.branch_id,
            device_id=query.device_id,
            rule_id=query.rule_id,
            limit=query.limit + 1,
            before_id=id_of(query.cursor),
        )
        shown = faults[: query.limit]
        return FaultPage(
            items=tuple(FaultView.model_validate(fault) for fault in shown),
            next_cursor=cursor_of(shown[-1].id) if len(faults) > len(shown) else None,
        )

    async def get(self, call: Call[FaultPath, Nothing, Nothing]) -> FaultView:
        return FaultView.model_validate(await self._faults.get(call.path.fault_id))

    async def acknowledge(self, call: Call[FaultPath, Nothing, FaultCommandBody]) -> FaultView:
        body = call.body
        return FaultView.model_validate(await self._faults.acknowledge(call.path.fault_id, body.actor, body.comment))

    async def reset(self, call: Call[FaultPath, Nothing, FaultCommandBody]) -> FaultView:
        body = call.body
        return FaultView.model_validate(await self._faults.reset(call.path.fault_id, body.actor, body.comment))


def endpoints(faults: Faults) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = FaultHandlers(faults)
    one = "/api/v1/faults/{fault_id}"
    refusals = (NOT_FOUND, NOT_ALLOWED)
    return (
        Endpoint(
            "GET", "/api/v1/faults", "listFaults", "Faults, newest first",
            (Nothing, FaultQuery, Nothing), FaultPage, handlers.list,
        ),
        Endpoint(
            "GET", one, "getFault", "One fault",
            (FaultPath, Nothing, Nothing), FaultView, handlers.get, (NOT_FOUND,),
        ),
        Endpoint(
            "POST", f"{one}/acknowledge", "acknowledgeFault", "Say that somebody has seen the fault",
            (FaultPath, Nothing, FaultCommandBody), FaultView, handlers.acknowledge, refusals,
        ),
        Endpoint(
            "POST", f"{one}/reset", "resetFault", "Release a latched fault whose condition is gone",
            (FaultPath, Nothing, FaultCommandBody), FaultView, handlers.reset, refusals,
        ),
    )  # fmt: skip
