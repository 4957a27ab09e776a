"""The time-series store over HTTP: which one, how far it is, what of it cannot be read."""

from pydantic import BaseModel, ConfigDict, Field

from collector.status import StoreState
from collector.store import Damage, Tier
from console.api.endpoint import AnyEndpoint, Call, Endpoint, Nothing
from console.api.ports import IntakeStatus


class RetentionView(BaseModel):
    """How many days the store keeps what."""

    model_config = ConfigDict(from_attributes=True)

    readings_days: int
    minutes_days: int = Field(description="sums of a minute")
    hours_days: int = Field(description="sums of an hour")
    events_days: int


class DamageView(BaseModel):
    """A part that cannot be read; all else is served."""

    file: str = Field(description="name of the file, which is left where it is")
    tier: Tier = Field(description="what it held: readings not yet in order, readings, or sums by time")
    from_ms: int | None = Field(description="begin of its period; null: nobody knows")
    to_ms: int | None = Field(description="end of its period; null: nobody knows")
    reason: str
    found_at_ms: int


class StoreView(BaseModel):
    """The time-series store."""

    kind: str = Field(examples=["duckdb"])
    position: int = Field(description="number of its newest commit")
    replayable_from: int = Field(description="commits after this one are known one by one")
    series: int = Field(description="signals of devices that ever had a reading")
    retention: RetentionView
    waits_for: tuple[str, ...] = Field(
        description="what the intake waits for now: broker, store, ops database, listener"
    )
    damages: tuple[DamageView, ...] = Field(description="oldest first; empty: all can be read")


class StoreHandlers:
    """What the endpoints do."""

    def __init__(self, intake_status: IntakeStatus) -> None:
        self._intake_status = intake_status

    async def get(self, _call: Call[Nothing, Nothing, Nothing]) -> StoreView:
        return _view(self._intake_status.store_state())


def _view(state: StoreState) -> StoreView:
    return StoreView(
        kind=state.kind,
        position=state.position,
        replayable_from=state.replayable_from,
        series=state.series,
        retention=RetentionView.model_validate(state.retention),
        waits_for=tuple(state.waits_for),
        damages=tuple(_damage(damage) for damage in state.damages),
    )


def _damage(damage: Damage) -> DamageView:
    return DamageView(
        file=damage.file.name,
        tier=damage.tier,
        from_ms=damage.from_ms,
        to_ms=damage.to_ms,
        reason=damage.reason,
        found_at_ms=damage.found_at_ms,
    )


def endpoints(intake_status: IntakeStatus) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    handlers = StoreHandlers(intake_status)
    return (
        Endpoint(
            "GET", "/api/v1/store", "getStore", "The time-series store, and what of it cannot be read",
            (Nothing, Nothing, Nothing), StoreView, handlers.get,
        ),
    )  # fmt: skip
