"""Tables of the rules in the ops database."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table, Text, text

from runtime.database import metadata

_BIG_ID = BigInteger().with_variant(Integer, "sqlite")

fault = Table(
    "fault",
    metadata,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("rule_id", String(64), nullable=False, index=True),
    Column("device_id", String(100), nullable=False, index=True),
    Column("branch_id", String(32), nullable=False, index=True),
    Column("component", String(64), nullable=False),
    Column("part", String(128), nullable=False, comment="matched part, empty where the rule names the component alone"),
    Column("family", String(32), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("state", String(24), nullable=False, index=True),
    Column("active", Boolean, nullable=False, comment="the condition or a latch holds"),
    Column("title_en", String(200), nullable=False),
    Column("title_zh", String(200), nullable=False),
    Column("observed_at_ms", BigInteger, nullable=False, comment="when it began by observation time, delay included"),
    Column("trigger_at_ms", BigInteger, comment="the reading that decided it, null where a timer did"),
    Column("raised_at_ms", BigInteger, nullable=False, comment="when the rules raised it, by the server's clock"),
    Column("ended_observed_at_ms", BigInteger, comment="when the condition ended by observation time, delay included"),
    Column("cleared_at_ms", BigInteger, comment="when it was cleared, by the server's clock"),
    Column("acknowledged_at_ms", BigInteger),
    Column("acknowledged_by", String(128)),
    Column("acknowledge_comment", Text),
    Column("reset_at_ms", BigInteger),
    Column("reset_by", String(128)),
    Column("reset_comment", Text),
    Column(
        "occurrences", Integer, nullable=False, server_default="1", comment="more than 1: it came back under a latch"
    ),
    Index(
        "uq_fault_active",
        "rule_id",
        "device_id",
        "part",
        unique=True,
        sqlite_where=text("active"),
        postgresql_where=text("active"),
    ),
    sqlite_autoincrement=True,  # a fault's id is never given twice
)

rule_condition = Table(
    "rule_condition",
    metadata,
    Column("rule_id", String(64), primary_key=True),
    Column("device_id", String(100), primary_key=True),
    Column("part", String(128), primary_key=True),
    Column("fingerprint", String(16), nullable=False, comment="of the rule's condition when this was stored"),
    Column("phase", String(8), nullable=False),
    Column("since_ms", BigInteger, nullable=False, comment="when the phase began, 0 while idle"),
    Column("at_ms", BigInteger, nullable=False, comment="observation time up to which it was judged"),
    Column("memories", JSON, nullable=False, comment="of each clause by its index: [verdict, since_ms]"),
)

rule_checkpoint = Table(
    "rule_checkpoint",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("position", BigInteger, nullable=False, comment="commit of the time-series store that is evaluated"),
    Column("revision", BigInteger, nullable=False, comment="grows by one with each transaction of the engine"),
)
