"""Gateways over HTTP: who is connected, and what arrived from each."""

from pydantic import BaseModel, ConfigDict, Field

from console.api.endpoint import AnyEndpoint, Call, Endpoint, Nothing
from console.api.ports import IntakeStatus


class GatewayView(BaseModel):
    """One gateway and its intake."""

    model_config = ConfigDict(from_attributes=True)

    branch_id: str
    online: bool | None = Field(description="connected to the broker; null: it never said")
    boot: str = Field(description="identity of its outbox, empty until it said")
    since_ms: int | None = Field(description="when this state of its connection began")
    version: str
    committed_packs: int = Field(description="packs that are stored, over all boot identities")
    last_seq: int | None = Field(description="highest stored seq of the present boot identity")
    duplicates_dropped: int = Field(description="packs that came again since the collector started")
    open_holes: int = Field(description="runs of missing packs that are asked for")
    missing_packs: int = Field(description="packs in them")
    gap_packs: int = Field(description="packs that were asked for in vain and have not come since")
    dropped_readings: int = Field(description="readings the gateway had to drop unsent because its outbox was full")


class GatewayPage(BaseModel):
    """All gateways, ordered by branch."""

    items: tuple[GatewayView, ...]


class GatewayHandlers:
    """What the endpoints do."""

    def __init__(self, intake_status: IntakeStatus) -> None:
        self._intake_status = intake_status

    async def list(self, _call: Call[Nothing, Nothing, Nothing]) -> GatewayPage:
        gateways = self._intake_status.intake_status()
        return GatewayPage(items=tuple(GatewayView.model_validate(gateway) for gateway in gateways))


def endpoints(intake_status: IntakeStatus) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = GatewayHandlers(intake_status)
    return (
        Endpoint(
            "GET", "/api/v1/gateways", "listGateways", "Gateways with what arrived from each",
            (Nothing, Nothing, Nothing), GatewayPage, handlers.list,
        ),
    )  # fmt: skip
