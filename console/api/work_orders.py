"""Work orders over HTTP: list, one with its history, and the commands that move it."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from console.api.endpoint import AnyEndpoint, Call, Endpoint, Inputs, Nothing
from console.api.paging import PageQuery, cursor_of, id_of
from console.api.ports import WorkOrders
from console.api.problem import CONFLICT, NOT_FOUND, ProblemKind
from contracts.faults import Severity, WorkOrderType
from contracts.work_orders import OPEN_STATES, PauseReason, WorkOrderCommand, WorkOrderState
from maintenance.transitions import CommandIncomplete
from maintenance.work_orders import CommandIdReused, CommandRequest, RevisionConflict
from runtime.event_log import Event

ActorName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"\S", description="who gives the command")]
RowId = Annotated[int, Field(ge=1, lt=2**63)]

REVISION: Final = ProblemKind(RevisionConflict.code, 409, "Somebody else changed the order", CONFLICT.next_step)
INCOMPLETE: Final = ProblemKind(
    CommandIncomplete.code, 409, "The command lacks something", "Send it again with what the detail names."
)
REUSED: Final = ProblemKind(CommandIdReused.code, 409, "The command id is taken", "Choose a new command id.")


class WorkOrderPath(Inputs):
    """Which order."""

    work_order_id: RowId


class WorkOrderQuery(PageQuery):
    """Filters of the list; all that are given must hold."""

    state: tuple[WorkOrderState, ...] = Field(default=(), description="one or more states; none: all")
    open: bool | None = Field(default=None, description="only open or only ended orders; not together with state")
    branch_id: str | None = Field(default=None, max_length=32)
    device_id: str | None = Field(default=None, max_length=100)
    assignee: str | None = Field(default=None, max_length=128)


class WorkOrderView(BaseModel):
    """A work order as it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    number: str = Field(examples=["WO-000012"])
    branch_id: str
    device_id: str
    component: str
    family: str
    type: WorkOrderType
    skill: str
    severity: Severity
    title_en: str
    title_zh: str
    state: WorkOrderState
    pause_reason: PauseReason | None
    assignee: str
    duplicate_of: int | None
    fault_count: int
    verify_hold_s: float
    verifying_since_ms: int | None
    opened_at_ms: int
    changed_at_ms: int
    closed_at_ms: int | None
    revision: int = Field(description="give it back as expected_revision of a command")
    allowed_commands: tuple[WorkOrderCommand, ...] = Field(description="what a person may do with it now")


class HistoryEntry(BaseModel):
    """One thing that happened to an order."""

    event_id: int
    at_ms: int
    type: str
    actor: str
    state: WorkOrderState
    previous: WorkOrderState | None
    command: WorkOrderCommand | None
    assignee: str
    note: str
    revision: int


class WorkOrderDetail(WorkOrderView):
    """A work order with its faults and everything that happened, oldest first."""

    fault_ids: tuple[int, ...]
    history: tuple[HistoryEntry, ...]


class WorkOrderPage(BaseModel):
    """Orders, newest first."""

    items: tuple[WorkOrderView, ...]
    next_cursor: str | None


class CommandBody(Inputs):
    """A command. The same command_id a second time changes nothing and answers with the order as it stands."""

    command: WorkOrderCommand
    expected_revision: int = Field(ge=1, description="revision on which the decision was based")
    command_id: str = Field(min_length=8, max_length=64, description="chosen by the client, unique; a UUID will do")
    actor: ActorName = "operator"
    assignee: str = Field(default="", max_length=128, description="technician; asked for by offer")
    reason: str = Field(default="", max_length=500)
    pause_reason: PauseReason | None = Field(default=None, description="asked for by pause")
    duplicate_of: int | None = Field(default=None, ge=1, lt=2**63, description="asked for by mark_duplicate")
    note: str = Field(default="", max_length=2000)


class WorkOrderHandlers:
    """What the endpoints do."""

    def __init__(self, work_orders: WorkOrders) -> None:
        self._work_orders = work_orders

    async def list(self, call: Call[Nothing, WorkOrderQuery, Nothing]) -> WorkOrderPage:
        query = call.query
        states = frozenset(query.state)
        if query.open is not None:
            wanted = OPEN_STATES if query.open else frozenset(WorkOrderState) - OPEN_STATES
            states = states & wanted if states else wanted
            if not states:
                return WorkOrderPage(items=(), next_cursor=None)
        orders = await self._work_orders.list(
            states=states,
            branch_id=query.branch_id,
            device_id=query.device_id,
            assignee=query.assignee,
            limit=query.limit + 1,
            before_id=id_of(query.cursor),
        )
        shown = orders[: query.limit]
        return WorkOrderPage(
            items=tuple(WorkOrderView.model_validate(order) for order in shown),
            next_cursor=cursor_of(shown[-1].id) if len(orders) > len(shown) else None,
        )

    async def get(self, call: Call[WorkOrderPath, Nothing, Nothing]) -> WorkOrderDetail:
        return await self._detail(call.path.work_order_id)

    async def command(self, call: Call[WorkOrderPath, Nothing, CommandBody]) -> WorkOrderDetail:
        body = call.body
        request = CommandRequest(**body.model_dump(exclude={"actor"}))
        await self._work_orders.command(call.path.work_order_id, request, body.actor)
        return await self._detail(call.path.work_order_id)

    async def _detail(self, order_id: int) -> WorkOrderDetail:
        order = await self._work_orders.get(order_id)
        return WorkOrderDetail(
            **WorkOrderView.model_validate(order).model_dump(),
            fault_ids=tuple(await self._work_orders.faults(order_id)),
            history=tuple(_entry(event) for event in await self._work_orders.history(order_id)),
        )


def _entry(event: Event) -> HistoryEntry:
    data = event.data
    return HistoryEntry(
        event_id=event.id,
        at_ms=event.at_ms,
        type=event.type,
        actor=event.actor,
        state=data["state"],
        previous=data.get("previous"),
        command=data.get("command"),
        assignee=data.get("assignee", ""),
        note=data.get("note", ""),
        revision=data["revision"],
    )


def endpoints(work_orders: WorkOrders) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = WorkOrderHandlers(work_orders)
    one = "/api/v1/work-orders/{work_order_id}"
    return (
        Endpoint(
            "GET", "/api/v1/work-orders", "listWorkOrders", "Work orders, newest first",
            (Nothing, WorkOrderQuery, Nothing), WorkOrderPage, handlers.list,
        ),
        Endpoint(
            "GET", one, "getWorkOrder", "One work order with its history and allowed commands",
            (WorkOrderPath, Nothing, Nothing), WorkOrderDetail, handlers.get, (NOT_FOUND,),
        ),
        Endpoint(
            "POST", f"{one}/commands", "commandWorkOrder", "Move a work order; idempotent by command_id",
            (WorkOrderPath, Nothing, CommandBody), WorkOrderDetail, handlers.command,
            (NOT_FOUND, CONFLICT, REVISION, INCOMPLETE, REUSED),
        ),
    )  # fmt: skip
