"""Settings of the collector."""

from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from contracts.identity import SHARDS, shard_of
from contracts.pack import MESSAGE_BYTES
from runtime.settings import Section

SILENCE_S: Final = 180.0
"""Three heartbeats of ``uplink/packs_sent``, which a gateway sends whatever its devices do (``contracts/devices/gateway.py``)."""

_LOOKS_IN_SILENCE: Final = 4


class RetentionSettings(Section):
    """How long the time-series store keeps what, counted back from now by the time of observation."""

    readings_days: int = Field(
        default=90, ge=4, le=36_500, description="readings; longer than gateways keep theirs, 72 h"
    )
    minutes_days: int = Field(default=400, ge=4, le=36_500, description="roll-ups of a minute")
    hours_days: int = Field(default=3_650, ge=4, le=36_500, description="roll-ups of an hour")
    events_days: int = Field(default=400, ge=4, le=36_500, description="texts of event signals")

    @model_validator(mode="after")
    def _roll_ups_outlive_readings(self) -> Self:
        if not self.readings_days <= self.minutes_days <= self.hours_days:
            raise ValueError(
                f"readings_days {self.readings_days}, minutes_days {self.minutes_days}, hours_days {self.hours_days}: "
                "expected each at least as long as the one before"
            )
        return self


class DuckDbSettings(Section):
    """The embedded store, in files under ``data_dir``."""

    memory_mb: int = Field(default=512, ge=64, description="memory for buffers and sorting, in MiB")
    recent_hours: float = Field(default=2.0, ge=0.01, le=24, description="age at which readings are put in order")
    recent_readings: int = Field(
        default=20_000_000, ge=1_000, description="readings at which they are put in order, however young they are"
    )


class InfluxDbSettings(Section):
    """InfluxDB 1.8 or later, or another server with its v2 write route and InfluxQL."""

    url: str = Field(default="http://127.0.0.1:8086", description="its HTTP address, without a password")
    database: str = Field(
        default="branchwatch",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$",
        description="database; in InfluxDB 2 and 3 the first part of the buckets' names",
    )
    org: str = Field(default="", description="organization, InfluxDB 2")
    token: SecretStr | None = Field(default=None, description="API token; better in the environment")
    username: str | None = Field(default=None, description="user, InfluxDB 1; instead of a token")
    password: SecretStr | None = Field(default=None, description="that user's password; better in the environment")
    tls_ca: Path | None = Field(default=None, description="certificate authority file for an https url")
    timeout_s: float = Field(default=10.0, gt=0, le=300, description="wait for an answer, or for more of a long one")
    tries: int = Field(default=3, ge=1, le=10, description="tries of a request before the intake is told to wait")
    request_bytes: int = Field(
        default=2 * 2**20, ge=64 * 1024, description="bytes of a write request before it is compressed"
    )
    recent_readings: int = Field(
        default=20_000_000,
        ge=1_000,
        description="readings kept in the order of their commits, in the ops database; an hour's at most matter",
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("expected an address like https://influxdb.example:8086")
        if parts.username is not None or parts.password is not None:
            raise ValueError("user and password have settings of their own")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.token is not None and self.username is not None:
            raise ValueError("token and username: expected one of them")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password: expected both or neither")
        return self


class CollectorSettings(Section):
    """What a collector takes in, how it batches, when it asks for packs again and what it keeps of refused ones."""

    slots: int = Field(default=1, ge=1, le=SHARDS, description="into how many slots the 64 shards are divided")
    slot: int = Field(default=0, ge=0, lt=SHARDS, description="the slot of this collector, from 0")
    batch_messages: int = Field(default=500, ge=1, le=10_000, description="live messages in a batch at most")
    batch_bytes: int = Field(default=8 * 2**20, ge=1, description="bytes from which a batch takes no more messages")
    batch_age_ms: int = Field(default=50, ge=0, le=10_000, description="how long a batch waits for more messages")
    inbox_messages: int = Field(
        default=5_000, ge=1, description="messages received ahead of the batch at most, live and back-filled each"
    )
    pack_bytes: int = Field(default=MESSAGE_BYTES, ge=1024, description="larger messages are refused unread")
    future_s: float = Field(default=300, ge=0, description="how far ahead of this clock an observation may be")
    review_s: float = Field(default=1.0, gt=0, le=60, description="time between reviews of holes and heartbeats")
    silence_s: float = Field(
        default=SILENCE_S, gt=0, description="a gateway that sent no live pack for so long counts as disconnected"
    )
    hole_grace_s: float = Field(default=10, ge=0, description="age from which a missing pack is asked for")
    hole_retry_first_s: float = Field(default=10, gt=0, description="wait after the first request, doubled each time")
    hole_retry_most_s: float = Field(default=300, gt=0, description="longest wait between requests")
    hole_tries: int = Field(default=8, ge=1, description="requests for a hole before it is recorded as a gap")
    hole_abandon_s: float = Field(default=600, ge=0, description="age at which holes of an earlier outbox become gaps")
    quarantine_sample_rows: int = Field(default=200, ge=1, description="refusals kept for each gateway")
    quarantine_sample_bytes: int = Field(default=16 * 1024, ge=0, description="bytes kept of a refused message")
    quarantine_held_rows: int = Field(
        default=5_000,
        ge=0,
        description="refusals for each gateway and reason that wait for an inventory or their time, kept whole",
    )
    store: Literal["duckdb", "influxdb"] = Field(default="duckdb", description="where readings are kept")
    retention: RetentionSettings = RetentionSettings()
    duckdb: DuckDbSettings = DuckDbSettings()
    influxdb: InfluxDbSettings = InfluxDbSettings()

    def owns(self, branch_id: str) -> bool:
        """Whether a branch belongs to the slot of this collector."""
        return int(shard_of(branch_id)) % self.slots == self.slot

    @model_validator(mode="after")
    def _slot_exists(self) -> Self:
        if self.slot >= self.slots:
            raise ValueError(f"slot {self.slot} of {self.slots}: expected 0 to {self.slots - 1}")
        return self

    @model_validator(mode="after")
    def _silence_is_looked_at(self) -> Self:
        least_s = _LOOKS_IN_SILENCE * self.review_s
        if self.silence_s < least_s:
            raise ValueError(f"silence_s {self.silence_s:g}: expected at least {least_s:g}, four times review_s")
        return self
