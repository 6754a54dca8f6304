"""Challengers: which one answered silently beside a model from when, and what it answered."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "challengers",
        sa.Column("number", _KEY, primary_key=True, autoincrement=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("caller", sa.String(400), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "shadows",
        sa.Column("number", _KEY, primary_key=True, autoincrement=True),
        sa.Column("answer", sa.String(43), sa.ForeignKey("answers.id"), nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("option", sa.String(200), nullable=False),
        sa.Column("dose", sa.Float),
        sa.Column("champion_option", sa.String(200), nullable=False),
        sa.Column("champion_dose", sa.Float),
        sa.Column("milliseconds", sa.Float, nullable=False),
        sa.Column("body", sa.LargeBinary),
    )
    op.create_index("shadows_by_answer", "shadows", ["answer", "digest"], unique=True)
    op.create_index("shadows_by_version", "shadows", ["digest", "number"])
