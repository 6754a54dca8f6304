"""Cards that were sent to CDS Hooks clients, so that feedback finds its answer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "cards",
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("answer", sa.String(43), sa.ForeignKey("answers.id"), nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
    )
    op.create_index("cards_by_answer", "cards", ["answer"])
