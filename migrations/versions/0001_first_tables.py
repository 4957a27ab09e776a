"""The first tables: event log, fleet, quarantine, faults, work orders.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_consumer",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="id of the last event whose effect is committed"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_consumer")),
    )
    op.create_table(
        "event_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False, comment="milliseconds since 1970 UTC"),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False, comment="what it is about: fault/12, work_order/7"),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_log")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_event_log_subject"), "event_log", ["subject"], unique=False)
    op.create_index(op.f("ix_event_log_type"), "event_log", ["type"], unique=False)
    op.create_table(
        "fault",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("rule_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=100), nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("component", sa.String(length=64), nullable=False),
        sa.Column(
            "part",
            sa.String(length=128),
            nullable=False,
            comment="matched part, empty where the rule names the component alone",
        ),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False, comment="the condition or a latch holds"),
        sa.Column("title_en", sa.String(length=200), nullable=False),
        sa.Column("title_zh", sa.String(length=200), nullable=False),
        sa.Column(
            "observed_at_ms",
            sa.BigInteger(),
            nullable=False,
            comment="when it began by observation time, delay included",
        ),
        sa.Column(
            "trigger_at_ms",
            sa.BigInteger(),
            nullable=True,
            comment="the reading that decided it, null where a timer did",
        ),
        sa.Column(
            "raised_at_ms", sa.BigInteger(), nullable=False, comment="when the rules raised it, by the server's clock"
        ),
        sa.Column(
            "ended_observed_at_ms",
            sa.BigInteger(),
            nullable=True,
            comment="when the condition ended by observation time, delay included",
        ),
        sa.Column(
            "cleared_at_ms", sa.BigInteger(), nullable=True, comment="when it was cleared, by the server's clock"
        ),
        sa.Column("acknowledged_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=128), nullable=True),
        sa.Column("acknowledge_comment", sa.Text(), nullable=True),
        sa.Column("reset_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("reset_by", sa.String(length=128), nullable=True),
        sa.Column("reset_comment", sa.Text(), nullable=True),
        sa.Column(
            "occurrences",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="more than 1: it came back under a latch",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_fault_branch_id"), "fault", ["branch_id"], unique=False)
    op.create_index(op.f("ix_fault_device_id"), "fault", ["device_id"], unique=False)
    op.create_index(op.f("ix_fault_rule_id"), "fault", ["rule_id"], unique=False)
    op.create_index(op.f("ix_fault_state"), "fault", ["state"], unique=False)
    op.create_index(
        "uq_fault_active",
        "fault",
        ["rule_id", "device_id", "part"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "fleet_device",
        sa.Column("device_id", sa.String(length=97), nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("local_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("maker", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("serial", sa.String(length=128), nullable=False),
        sa.Column("firmware", sa.String(length=128), nullable=False),
        sa.Column("driver", sa.String(length=64), nullable=False),
        sa.Column("announced_at_ms", sa.BigInteger(), nullable=False, comment="arrival of the inventory that said so"),
        sa.Column("removed_at_ms", sa.BigInteger(), nullable=True, comment="arrival of the inventory that left it out"),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_fleet_device")),
    )
    op.create_index(op.f("ix_fleet_device_branch_id"), "fleet_device", ["branch_id"], unique=False)
    op.create_table(
        "fleet_gateway",
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column(
            "boot",
            sa.String(length=64),
            nullable=False,
            comment="identity of the gateway's outbox, empty until it said",
        ),
        sa.Column("since_ms", sa.BigInteger(), nullable=False, comment="when this state began"),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column(
            "session_ms",
            sa.BigInteger(),
            nullable=False,
            comment="since of the status that is known; an earlier is no news",
        ),
        sa.Column("silent", sa.Boolean(), nullable=False, comment="offline because nothing is heard of it"),
        sa.PrimaryKeyConstraint("branch_id", name=op.f("pk_fleet_gateway")),
    )
    op.create_table(
        "fleet_inventory",
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column(
            "announced_at_ms", sa.BigInteger(), nullable=False, comment="when the inventory in force was announced"
        ),
        sa.PrimaryKeyConstraint("branch_id", name=op.f("pk_fleet_inventory")),
    )
    op.create_table(
        "intake_gap",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False, comment="first missing seq"),
        sa.Column("high", sa.BigInteger(), nullable=False, comment="last missing seq"),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_gap")),
        sa.UniqueConstraint("branch_id", "boot", "low", "high", name=op.f("uq_intake_gap_branch_id_boot_low_high")),
    )
    op.create_index(op.f("ix_intake_gap_branch_id"), "intake_gap", ["branch_id"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False, comment="empty where the topic named none"),
        sa.Column("topic", sa.String(length=256), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column(
            "record",
            sa.Integer(),
            nullable=True,
            comment="index of the first refused record, null for the whole message",
        ),
        sa.Column("records", sa.Integer(), nullable=False, comment="how many records were refused with this code"),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False, comment="the message, or a pack of the refused records"),
        sa.Column("payload_bytes", sa.Integer(), nullable=False, comment="size before it was cut to the bound"),
        sa.Column(
            "held_device", sa.String(length=97), nullable=True, comment="waits for the inventory that names this device"
        ),
        sa.Column(
            "held_until_ms", sa.BigInteger(), nullable=True, comment="waits for this time; the largest number for none"
        ),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column(
            "boot", sa.String(length=64), nullable=True, comment="with seq: the pack it came in, null where unreadable"
        ),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column(
            "device",
            sa.String(length=97),
            nullable=False,
            comment="device of the refused records, empty where it is several",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint(
            "branch_id", "boot", "seq", "code", "device", name=op.f("uq_quarantine_branch_id_boot_seq_code_device")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_quarantine_branch", "quarantine", ["branch_id", "id"], unique=False)
    op.create_index("ix_quarantine_held", "quarantine", ["held_device"], unique=False)
    op.create_index("ix_quarantine_held_until", "quarantine", ["held_until_ms"], unique=False)
    op.create_table(
        "quarantine_identity",
        sa.Column("one", sa.Integer(), nullable=False, comment="there is one row"),
        sa.Column(
            "identity",
            sa.String(length=32),
            nullable=False,
            comment="tells its entries' numbers from another ops database's",
        ),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_quarantine_identity")),
    )
    op.create_table(
        "quarantine_count",
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False, comment="records, or whole messages, refused since ever"),
        sa.Column("kept", sa.BigInteger(), nullable=False, comment="rows kept in quarantine since ever"),
        sa.PrimaryKeyConstraint("branch_id", "code", name=op.f("pk_quarantine_count")),
    )
    op.create_table(
        "rule_checkpoint",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="commit of the time-series store that is evaluated"
        ),
        sa.Column(
            "revision", sa.BigInteger(), nullable=False, comment="grows by one with each transaction of the engine"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rule_checkpoint")),
    )
    op.create_table(
        "rule_condition",
        sa.Column("rule_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=100), nullable=False),
        sa.Column("part", sa.String(length=128), nullable=False),
        sa.Column(
            "fingerprint", sa.String(length=16), nullable=False, comment="of the rule's condition when this was stored"
        ),
        sa.Column("phase", sa.String(length=8), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False, comment="when the phase began, 0 while idle"),
        sa.Column("at_ms", sa.BigInteger(), nullable=False, comment="observation time up to which it was judged"),
        sa.Column("memories", sa.JSON(), nullable=False, comment="of each clause by its index: [verdict, since_ms]"),
        sa.PrimaryKeyConstraint("rule_id", "device_id", "part", name=op.f("pk_rule_condition")),
    )
    op.create_table(
        "work_order",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("branch_id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=100), nullable=False),
        sa.Column("component", sa.String(length=64), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=2), nullable=False),
        sa.Column("skill", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("title_en", sa.String(length=200), nullable=False),
        sa.Column("title_zh", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column(
            "back_state",
            sa.String(length=24),
            nullable=True,
            comment="where the work was left: paused, or sent to be verified",
        ),
        sa.Column("pause_reason", sa.String(length=16), nullable=True),
        sa.Column("assignee", sa.String(length=128), server_default="", nullable=False),
        sa.Column("duplicate_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("fault_count", sa.Integer(), nullable=False),
        sa.Column("verify_hold_s", sa.Float(), nullable=False, comment="how long the faults must stay clear"),
        sa.Column("offered_at_ms", sa.BigInteger(), nullable=True, comment="when the standing offer was made"),
        sa.Column("verifying_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["duplicate_of"], ["work_order.id"], name=op.f("fk_work_order_duplicate_of_work_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_work_order_branch_id"), "work_order", ["branch_id"], unique=False)
    op.create_index(op.f("ix_work_order_device_id"), "work_order", ["device_id"], unique=False)
    op.create_index(op.f("ix_work_order_state"), "work_order", ["state"], unique=False)
    op.create_index(
        "uq_work_order_one_open",
        "work_order",
        ["device_id", "component", "family"],
        unique=True,
        sqlite_where=sa.text(
            "state IN ('accepted', 'new', 'offered', 'on_site', 'paused', 'repaired', 'travelling', 'triaged', 'verifying')"
        ),
        postgresql_where=sa.text(
            "state IN ('accepted', 'new', 'offered', 'on_site', 'paused', 'repaired', 'travelling', 'triaged', 'verifying')"
        ),
    )
    op.create_table(
        "work_order_request",
        sa.Column("fault_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False, comment="when the rule's wait before opening is over"),
        sa.Column("fault", sa.Text(), nullable=False, comment="the FaultEvent as JSON"),
        sa.PrimaryKeyConstraint("fault_id", name=op.f("pk_work_order_request")),
    )
    op.create_index(op.f("ix_work_order_request_due_at_ms"), "work_order_request", ["due_at_ms"], unique=False)
    op.create_table(
        "work_order_command",
        sa.Column(
            "command_id",
            sa.String(length=64),
            nullable=False,
            comment="given by the client; a repetition has no effect",
        ),
        sa.Column("work_order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("command", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_order.id"], name=op.f("fk_work_order_command_work_order_id_work_order")
        ),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_work_order_command")),
    )
    op.create_table(
        "work_order_fault",
        sa.Column("fault_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("work_order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cleared_at_ms", sa.BigInteger(), nullable=True, comment="null while the fault stands"),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_order.id"], name=op.f("fk_work_order_fault_work_order_id_work_order")
        ),
        sa.PrimaryKeyConstraint("fault_id", "work_order_id", name=op.f("pk_work_order_fault")),
    )
    op.create_index(op.f("ix_work_order_fault_work_order_id"), "work_order_fault", ["work_order_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_work_order_fault_work_order_id"), table_name="work_order_fault")
    op.drop_table("work_order_fault")
    op.drop_table("work_order_command")
    op.drop_index(op.f("ix_work_order_request_due_at_ms"), table_name="work_order_request")
    op.drop_table("work_order_request")
    op.drop_index(
        "uq_work_order_one_open",
        table_name="work_order",
        sqlite_where=sa.text(
            "state IN ('accepted', 'new', 'offered', 'on_site', 'paused', 'repaired', 'travelling', 'triaged', 'verifying')"
        ),
        postgresql_where=sa.text(
            "state IN ('accepted', 'new', 'offered', 'on_site', 'paused', 'repaired', 'travelling', 'triaged', 'verifying')"
        ),
    )
    op.drop_index(op.f("ix_work_order_state"), table_name="work_order")
    op.drop_index(op.f("ix_work_order_device_id"), table_name="work_order")
    op.drop_index(op.f("ix_work_order_branch_id"), table_name="work_order")
    op.drop_table("work_order")
    op.drop_table("rule_condition")
    op.drop_table("rule_checkpoint")
    op.drop_table("quarantine_count")
    op.drop_index("ix_quarantine_held", table_name="quarantine")
    op.drop_index("ix_quarantine_branch", table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_index(op.f("ix_intake_gap_branch_id"), table_name="intake_gap")
    op.drop_table("intake_gap")
    op.drop_table("fleet_gateway")
    op.drop_index(op.f("ix_fleet_device_branch_id"), table_name="fleet_device")
    op.drop_table("fleet_device")
    op.drop_index(
        "uq_fault_active", table_name="fault", sqlite_where=sa.text("active"), postgresql_where=sa.text("active")
    )
    op.drop_index(op.f("ix_fault_state"), table_name="fault")
    op.drop_index(op.f("ix_fault_rule_id"), table_name="fault")
    op.drop_index(op.f("ix_fault_device_id"), table_name="fault")
    op.drop_index(op.f("ix_fault_branch_id"), table_name="fault")
    op.drop_table("fault")
    op.drop_index(op.f("ix_event_log_type"), table_name="event_log")
    op.drop_index(op.f("ix_event_log_subject"), table_name="event_log")
    op.drop_table("event_log")
    op.drop_table("event_consumer")
