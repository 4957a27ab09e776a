"""What gateways should have sent and did not, over HTTP."""

from pydantic import BaseModel, ConfigDict, Field

from collector.missing import MissingState
from console.api.endpoint import AnyEndpoint, Call, Endpoint, Inputs, Nothing
from console.api.paging import PageQuery, cursor_of, id_of
from console.api.ports import MissingReadings
from console.api.problem import NOT_FOUND
from contracts.gateway_messages import BranchId


class BranchPath(Inputs):
    """Which gateway."""

    branch_id: BranchId = Field(examples=["BR0421"])


class MissingView(BaseModel):
    """A part of what a gateway should have sent."""

    model_config = ConfigDict(from_attributes=True)

    id: int | None = Field(description="number of the record; null: it is asked for still")
    state: MissingState = Field(
        description="asked_for: it may still come; given_up: asked for in vain; dropped: by a gateway whose outbox was full"
    )
    boot: str = Field(description="identity of the gateway's outbox")
    low: int = Field(description="first missing seq; for dropped readings the pack that came without them")
    high: int
    ranges: tuple[tuple[int, int], ...] = Field(description="seqs that are missing still, from and to; the first 100")
    packs: int = Field(description="packs that are missing still")
    readings: int | None = Field(description="readings dropped; null: nobody knows how many the packs held")
    noticed_at_ms: int
    after_ms: int | None = Field(description="made after this, by the gateway's clock; null: nobody knows")
    before_ms: int | None = Field(description="made before this, by the gateway's clock; null: nobody knows")


class MissingPage(BaseModel):
    """What is missing of a gateway: first what is asked for, then what was recorded, newest first."""

    items: tuple[MissingView, ...]
    next_cursor: str | None


class MissingHandlers:
    """What the endpoints do."""

    def __init__(self, missing: MissingReadings) -> None:
        self._missing = missing

    async def list(self, call: Call[BranchPath, PageQuery, Nothing]) -> MissingPage:
        limit = call.query.limit
        found = await self._missing.of_gateway(call.path.branch_id, id_of(call.query.cursor), limit + 1)
        shown = found[:limit]
        last_id = shown[-1].id if shown else None
        return MissingPage(
            items=tuple(MissingView.model_validate(item) for item in shown),
            next_cursor=cursor_of(_AFTER_THE_LAST if last_id is None else last_id) if len(found) > limit else None,
        )


_AFTER_THE_LAST = 2**53
"""Id above all others: a page that ends within what is asked for goes on with all that was recorded."""


def endpoints(missing: MissingReadings) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = MissingHandlers(missing)
    return (
        Endpoint(
            "GET", "/api/v1/gateways/{branch_id}/missing", "listMissing", "What a gateway should have sent and did not",
            (BranchPath, PageQuery, Nothing), MissingPage, handlers.list, (NOT_FOUND,),
        ),
    )  # fmt: skip
