"""What a time-series store without transactions keeps in the ops database.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "store_series",
        sa.Column("series", sa.Integer(), autoincrement=False, nullable=False, comment="number, dense from 0"),
        sa.Column("device_id", sa.String(97), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("path", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("series", name="pk_store_series"),
    )
    op.create_table(
        "store_pack",
        sa.Column("branch_id", sa.String(32), nullable=False),
        sa.Column("boot", sa.String(128), nullable=False),
        sa.Column(
            "low", sa.BigInteger(), autoincrement=False, nullable=False, comment="first seq of a run of committed packs"
        ),
        sa.Column("high", sa.BigInteger(), nullable=False, comment="last seq of the run"),
        sa.PrimaryKeyConstraint("branch_id", "boot", "low", name="pk_store_pack"),
    )
    op.create_table(
        "store_commit",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stored_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False, comment="readings and events of the commit"),
        sa.Column("writer", sa.String(32), nullable=False, comment="the run of a collector that made it"),
        sa.Column(
            "content", sa.LargeBinary(), nullable=False, comment="the readings and events as they were committed"
        ),
        sa.PrimaryKeyConstraint("position", name="pk_store_commit"),
    )
    op.create_table(
        "store_newest",
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="newest readings of a stretch of series"),
        sa.PrimaryKeyConstraint("part", name="pk_store_newest"),
    )
    op.create_table(
        "store_dirty_hour",
        sa.Column(
            "hour_ms",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="begin of an hour with new readings",
        ),
        sa.Column("branch_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("hour_ms", "branch_id", name="pk_store_dirty_hour"),
    )
    op.create_table(
        "store_day",
        sa.Column(
            "day_ms",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="begin of a UTC day that has readings",
        ),
        sa.PrimaryKeyConstraint("day_ms", name="pk_store_day"),
    )
    op.create_table(
        "store_state",
        sa.Column("one", sa.Integer(), nullable=False, comment="there is one row"),
        sa.Column(
            "replayable_from", sa.BigInteger(), nullable=False, comment="store_newest holds the commits up to this one"
        ),
        sa.Column("readings_from_ms", sa.BigInteger(), nullable=False, comment="what is older is past its retention"),
        sa.Column("minutes_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("hours_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("events_from_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_store_state"),
    )


def downgrade() -> None:
    for table in (
        "store_state",
        "store_day",
        "store_dirty_hour",
        "store_newest",
        "store_commit",
        "store_pack",
        "store_series",
    ):
        op.drop_table(table)
