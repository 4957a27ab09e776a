"""Gaps also say how many readings a full gateway dropped.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("intake_gap") as table:
        table.add_column(
            sa.Column(
                "readings",
                sa.BigInteger(),
                nullable=True,
                comment="dropped by the gateway from these packs; null: packs that never came",
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("intake_gap") as table:
        table.drop_column("readings")
