"""Faults over HTTP: list, one, acknowledge, reset."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from console.api.endpoint import AnyEndpoint, Call, Endpoint, Inputs, Nothing
from console.api.paging import PageQuery, cursor_of, id_of
from console.api.ports import Faults
from console.api.problem import CONFLICT, NOT_FOUND
from console.api.work_orders import ActorName
from contracts.faults import FaultState, Severity


class FaultPath(Inputs):
    """Which fault."""

    fault_id: Annotated[int, Field(ge=1, lt=2**63)]


class FaultQuery(PageQuery):
    """Filters of the list; all that are given must hold."""

    state: Literal["standing", "active", "unacknowledged", "all"] = Field(
        default="standing",
        description="standing: not over; active: the condition holds; unacknowledged: nobody acknowledged it; all",
    )
    branch_id: str | None = Field(default=None, max_length=32)
    device_id: str | None = Field(default=None, max_length=100)
    rule_id: str | None = Field(default=None, max_length=64)


class FaultView(BaseModel):
    """A fault as it stands, with the texts of its rule."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    rule_id: str
    branch_id: str
    device_id: str
    component: str
    part: str
    family: str
    severity: Severity
    state: FaultState
    title_en: str
    title_zh: str
    cause_en: str
    cause_zh: str
    consequence_en: str
    consequence_zh: str
    action_en: str
    action_zh: str
    respond_s: float = Field(description="seconds within which somebody must act; 0 for at once")
    observed_at_ms: int = Field(description="observation time at which the condition held long enough")
    raised_at_ms: int = Field(description="when it was raised")
    cleared_at_ms: int | None = Field(description="when the condition went away; null while it holds")
    acknowledged_at_ms: int | None
    acknowledged_by: str
    comment: str


class FaultPage(BaseModel):
    """Faults, newest first."""

    items: tuple[FaultView, ...]
    next_cursor: str | None


class FaultCommandBody(Inputs):
    """Who does it, and a remark."""

    actor: ActorName = "operator"
    comment: str = Field(default="", max_length=1000)


class FaultHandlers:
    """What the endpoints do."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def list(self, call: Call[Nothing, FaultQuery, Nothing]) -> FaultPage:
        query = call.query
        faults = await self._faults.list(
            state=query.state,
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
    refusals = (NOT_FOUND, CONFLICT)
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
