"""Tables of work orders in the ops database."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from contracts.work_orders import OPEN_STATES
from runtime.database import metadata

_BIG_ID = BigInteger().with_variant(Integer, "sqlite")

work_order = Table(
    "work_order",
    metadata,
    Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    Column("branch_id", String(32), nullable=False, index=True),
    Column("device_id", String(100), nullable=False, index=True),
    Column("component", String(64), nullable=False),
    Column("family", String(32), nullable=False),
    Column("type", String(2), nullable=False),
    Column("skill", String(16), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("title_en", String(200), nullable=False),
    Column("title_zh", String(200), nullable=False),
    Column("state", String(24), nullable=False, index=True),
    Column("back_state", String(24), comment="where the work was left: paused, or sent to be verified"),
    Column("pause_reason", String(16)),
    Column("assignee", String(128), nullable=False, server_default=""),
    Column("duplicate_of", _BIG_ID, ForeignKey("work_order.id")),
    Column("fault_count", Integer, nullable=False),
    Column("verify_hold_s", Float, nullable=False, comment="how long the faults must stay clear"),
    Column("offered_at_ms", BigInteger, comment="when the standing offer was made"),
    Column("verifying_since_ms", BigInteger),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("closed_at_ms", BigInteger),
    Column("revision", Integer, nullable=False),
    sqlite_autoincrement=True,
)

_is_open = work_order.c.state.in_(sorted(OPEN_STATES))

Index(
    "uq_work_order_one_open",
    work_order.c.device_id,
    work_order.c.component,
    work_order.c.family,
    unique=True,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)

work_order_fault = Table(
    "work_order_fault",
    metadata,
    Column("fault_id", BigInteger, primary_key=True, autoincrement=False),
    Column("work_order_id", _BIG_ID, ForeignKey("work_order.id"), primary_key=True, index=True),
    Column("cleared_at_ms", BigInteger, comment="null while the fault stands"),
)

work_order_request = Table(
    "work_order_request",
    metadata,
    Column("fault_id", BigInteger, primary_key=True, autoincrement=False),
    Column("due_at_ms", BigInteger, nullable=False, index=True, comment="when the rule's wait before opening is over"),
    Column("fault", Text, nullable=False, comment="the FaultEvent as JSON"),
)

work_order_command = Table(
    "work_order_command",
    metadata,
    Column("command_id", String(64), primary_key=True, comment="given by the client; a repetition has no effect"),
    Column("work_order_id", _BIG_ID, ForeignKey("work_order.id"), nullable=False),
    Column("command", String(24), nullable=False),
)
