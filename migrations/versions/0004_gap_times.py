"""Gaps also say between when their packs were made.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("intake_gap") as table:
        for name, side in (("after_ms", "after"), ("before_ms", "before")):
            comment = f"the packs were made {side} this; null: nobody knows"
            table.add_column(sa.Column(name, sa.BigInteger(), nullable=True, comment=comment))


def downgrade() -> None:
    with op.batch_alter_table("intake_gap") as table:
        table.drop_column("before_ms")
        table.drop_column("after_ms")
