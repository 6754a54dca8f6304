"""The first tables: answers, decisions, feedback, outcomes, the audit log, which model served."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_answers()
    _make_replies()
    _make_audit()
    _forbid_changes_of_audit()


def _make_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", sa.String(43), primary_key=True),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("patient_key", sa.String(200), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("asked_by", sa.String(400), nullable=False),
        sa.Column("door", sa.String(20), nullable=False),
        sa.Column("door_reference", sa.String(400), nullable=False),
        sa.Column("is_demo", sa.Boolean, nullable=False),
        sa.Column("milliseconds", sa.Float, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("given", sa.LargeBinary),
    )
    op.create_index("answers_by_time", "answers", ["made_at"])
    op.create_index("answers_by_patient", "answers", ["patient_key", "made_at"])


def _make_replies() -> None:
    op.create_table(
        "decisions",
        sa.Column("number", _KEY, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("answer", sa.String(43), sa.ForeignKey("answers.id"), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("option", sa.String(200), nullable=False),
        sa.Column("dose", sa.Float),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("decided_by", sa.String(400), nullable=False),
        sa.Column("decided_at", sa.String(32), nullable=False),
    )
    op.create_index("decisions_by_answer", "decisions", ["answer"])
    op.create_table(
        "feedback",
        sa.Column("number", _KEY, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("card", sa.String(200), nullable=False),
        sa.Column("answer", sa.String(43), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("outcome_at", sa.String(40), nullable=False),
        sa.Column("sent_by", sa.String(400), nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
    )
    op.create_index("feedback_by_card", "feedback", ["card"])
    op.create_table(
        "outcomes",
        sa.Column("number", _KEY, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("patient_key", sa.String(200), nullable=False),
        sa.Column("answer", sa.String(43), nullable=False),
        sa.Column("code", sa.String(400), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("observed_at", sa.String(40), nullable=False),
        sa.Column("sent_by", sa.String(400), nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("outcomes_by_key", "outcomes", ["key", "version"], unique=True)
    op.create_index("outcomes_by_answer", "outcomes", ["answer"])


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", _KEY, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("caller", sa.String(400), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("before", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "served",
        sa.Column("number", _KEY, primary_key=True, autoincrement=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("caller", sa.String(400), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _forbid_changes_of_audit() -> None:
    """The database itself refuses to change or remove a row of the audit log."""
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{action.lower()} BEFORE {action} ON audit BEGIN "
                "SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    )
