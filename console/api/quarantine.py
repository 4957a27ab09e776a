"""What the intake refused, over HTTP: the newest refusals, their bytes, and how many there were."""

import base64
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from console.api.endpoint import AnyEndpoint, Call, Endpoint, Inputs, Nothing
from console.api.paging import PageQuery, cursor_of, id_of
from console.api.ports import Quarantine
from console.api.problem import NOT_FOUND
from contracts.errors import NotFound, RefusalCode


class QuarantinePath(Inputs):
    """Which refusal."""

    entry_id: Annotated[int, Field(ge=1, lt=2**62)]


class QuarantineQuery(PageQuery):
    """Filters of the list; all that are given must hold."""

    branch_id: str | None = Field(
        default=None, max_length=32, description="empty: messages whose topic named no branch"
    )
    code: RefusalCode | None = None


class QuarantineEntry(BaseModel):
    """One refused message, or the records of a pack that were refused for one reason."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    branch_id: str
    topic: str
    code: str = Field(description="why, stable", examples=["relative_time"])
    detail: str
    record: int | None = Field(description="index of the first refused record; null: the whole message")
    records: int
    received_at_ms: int
    payload_bytes: int = Field(description="size as received")
    held: bool = Field(description="waits for the inventory that names its device and is then stored")


class QuarantineDetail(QuarantineEntry):
    """A refusal with the bytes that were kept."""

    payload_text: str | None = Field(description="the kept bytes as text; null where they are not UTF-8")
    payload_base64: str = Field(description="the kept bytes, which may be fewer than payload_bytes")


class QuarantineCount(BaseModel):
    """How much of a gateway was refused for a reason since ever."""

    model_config = ConfigDict(from_attributes=True)

    branch_id: str
    code: str
    refused: int = Field(description="records, or whole messages")


class QuarantinePage(BaseModel):
    """Refusals, newest first, and the counts over all of them, whatever the filter."""

    items: tuple[QuarantineEntry, ...]
    counts: tuple[QuarantineCount, ...]
    next_cursor: str | None


class QuarantineHandlers:
    """What the endpoints do."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine

    async def list(self, call: Call[Nothing, QuarantineQuery, Nothing]) -> QuarantinePage:
        query = call.query
        entries = await self._quarantine.entries(
            branch_id=query.branch_id, code=query.code, before_id=id_of(query.cursor), limit=query.limit + 1
        )
        shown = entries[: query.limit]
        return QuarantinePage(
            items=tuple(QuarantineEntry.model_validate(entry) for entry in shown),
            counts=tuple(QuarantineCount.model_validate(count) for count in await self._quarantine.counts()),
            next_cursor=cursor_of(shown[-1].id) if len(entries) > len(shown) else None,
        )

    async def get(self, call: Call[QuarantinePath, Nothing, Nothing]) -> QuarantineDetail:
        entry_id = call.path.entry_id
        payload = await self._quarantine.payload(entry_id)
        entries = await self._quarantine.entries(before_id=entry_id + 1, limit=1)
        if not entries or entries[0].id != entry_id:
            raise NotFound(f"quarantine entry {entry_id}: not kept; it may have made room for newer ones")
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            text = None
        return QuarantineDetail(
            **QuarantineEntry.model_validate(entries[0]).model_dump(),
            payload_text=text,
            payload_base64=base64.b64encode(payload).decode(),
        )


def endpoints(quarantine: Quarantine) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = QuarantineHandlers(quarantine)
    return (
        Endpoint(
            "GET", "/api/v1/quarantine", "listQuarantine", "What the intake refused, newest first, with counts",
            (Nothing, QuarantineQuery, Nothing), QuarantinePage, handlers.list,
        ),
        Endpoint(
            "GET", "/api/v1/quarantine/{entry_id}", "getQuarantineEntry", "One refusal with the bytes that were kept",
            (QuarantinePath, Nothing, Nothing), QuarantineDetail, handlers.get, (NOT_FOUND,),
        ),
    )  # fmt: skip
