"""The collector's tables in the ops database."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from runtime.database import metadata

_Id = BigInteger().with_variant(Integer, "sqlite")

fleet_gateway = Table(
    "fleet_gateway",
    metadata,
    Column("branch_id", String(32), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("boot", String(64), nullable=False, comment="identity of the gateway's outbox, empty until it said"),
    Column("since_ms", BigInteger, nullable=False, comment="when this state began"),
    Column("version", String(64), nullable=False),
    Column(
        "session_ms", BigInteger, nullable=False, comment="since of the status that is known; an earlier is no news"
    ),
    Column("silent", Boolean, nullable=False, comment="offline because nothing is heard of it"),
)

fleet_inventory = Table(
    "fleet_inventory",
    metadata,
    Column("branch_id", String(32), primary_key=True),
    Column("announced_at_ms", BigInteger, nullable=False, comment="when the inventory in force was announced"),
)

fleet_device = Table(
    "fleet_device",
    metadata,
    Column("device_id", String(97), primary_key=True),
    Column("branch_id", String(32), nullable=False, index=True),
    Column("local_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("name", String(128), nullable=False),
    Column("maker", String(128), nullable=False),
    Column("model", String(128), nullable=False),
    Column("serial", String(128), nullable=False),
    Column("firmware", String(128), nullable=False),
    Column("driver", String(64), nullable=False),
    Column("announced_at_ms", BigInteger, nullable=False, comment="arrival of the inventory that said so"),
    Column("removed_at_ms", BigInteger, nullable=True, comment="arrival of the inventory that left it out"),
)

intake_gap = Table(
    "intake_gap",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("branch_id", String(32), nullable=False, index=True),
    Column("boot", String(64), nullable=False),
    Column("low", BigInteger, nullable=False, comment="first missing seq"),
    Column("high", BigInteger, nullable=False, comment="last missing seq"),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column(
        "readings",
        BigInteger,
        nullable=True,
        comment="dropped by the gateway from these packs; null: packs that never came",
    ),
    Column("after_ms", BigInteger, nullable=True, comment="the packs were made after this; null: nobody knows"),
    Column("before_ms", BigInteger, nullable=True, comment="the packs were made before this; null: nobody knows"),
    UniqueConstraint("branch_id", "boot", "low", "high"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("branch_id", String(32), nullable=False, comment="empty where the topic named none"),
    Column("topic", String(256), nullable=False),
    Column("code", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("record", Integer, nullable=True, comment="index of the first refused record, null for the whole message"),
    Column("records", Integer, nullable=False, comment="how many records were refused with this code"),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False, comment="the message, or a pack of the refused records"),
    Column("payload_bytes", Integer, nullable=False, comment="size before it was cut to the bound"),
    Column("held_device", String(97), nullable=True, comment="waits for the inventory that names this device"),
    Column("held_until_ms", BigInteger, nullable=True, comment="waits for this time; the largest number for none"),
    Column("live", Boolean, nullable=False),
    Column("boot", String(64), nullable=True, comment="with seq: the pack it came in, null where unreadable"),
    Column("seq", BigInteger, nullable=True),
    Column("device", String(97), nullable=False, comment="device of the refused records, empty where it is several"),
    UniqueConstraint("branch_id", "boot", "seq", "code", "device"),
    Index("ix_quarantine_held", "held_device"),
    Index("ix_quarantine_held_until", "held_until_ms"),
    Index("ix_quarantine_branch", "branch_id", "id"),
    sqlite_autoincrement=True,  # an id names released readings in the store for ever, so it is never given twice
)

quarantine_identity = Table(
    "quarantine_identity",
    metadata,
    Column("one", Integer, primary_key=True, comment="there is one row"),
    Column("identity", String(32), nullable=False, comment="tells its entries' numbers from another ops database's"),
)

quarantine_count = Table(
    "quarantine_count",
    metadata,
    Column("branch_id", String(32), primary_key=True),
    Column("code", String(32), primary_key=True),
    Column("refused", BigInteger, nullable=False, comment="records, or whole messages, refused since ever"),
    Column("kept", BigInteger, nullable=False, comment="rows kept in quarantine since ever"),
)

# What a time-series store that has no transactions keeps here: which commit brought what, and what it stands on.

store_series = Table(
    "store_series",
    metadata,
    Column("series", Integer, primary_key=True, autoincrement=False, comment="number, dense from 0"),
    Column("device_id", String(97), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("path", String(256), nullable=False),
)

store_pack = Table(
    "store_pack",
    metadata,
    Column("branch_id", String(32), primary_key=True),
    Column("boot", String(128), primary_key=True),
    Column("low", BigInteger, primary_key=True, autoincrement=False, comment="first seq of a run of committed packs"),
    Column("high", BigInteger, nullable=False, comment="last seq of the run"),
)

store_commit = Table(
    "store_commit",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("stored_at_ms", BigInteger, nullable=False),
    Column("readings", Integer, nullable=False, comment="readings and events of the commit"),
    Column("writer", String(32), nullable=False, comment="the run of a collector that made it"),
    Column("content", LargeBinary, nullable=False, comment="the readings and events as they were committed"),
)

store_newest = Table(
    "store_newest",
    metadata,
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False, comment="newest readings of a stretch of series"),
)

store_dirty_hour = Table(
    "store_dirty_hour",
    metadata,
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False, comment="begin of an hour with new readings"),
    Column("branch_id", String(32), primary_key=True),
)

store_day = Table(
    "store_day",
    metadata,
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False, comment="begin of a UTC day that has readings"),
)

store_state = Table(
    "store_state",
    metadata,
    Column("one", Integer, primary_key=True, comment="there is one row"),
    Column("replayable_from", BigInteger, nullable=False, comment="store_newest holds the commits up to this one"),
    Column("readings_from_ms", BigInteger, nullable=False, comment="what is older is past its retention"),
    Column("minutes_from_ms", BigInteger, nullable=False),
    Column("hours_from_ms", BigInteger, nullable=False),
    Column("events_from_ms", BigInteger, nullable=False),
)
