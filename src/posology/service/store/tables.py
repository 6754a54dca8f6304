"""Tables of the store. Times are ISO 8601 in UTC, so that they sort as text on every database."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()
_KEY = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only a column of type INTEGER."""

ANSWERS = Table(
    "answers",
    METADATA,
    Column("id", String(43), primary_key=True),
    Column("made_at", String(32), nullable=False),
    Column("model", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("patient_key", String(200), nullable=False),
    Column("state", String(40), nullable=False),
    Column("headline", Text, nullable=False),
    Column("asked_by", String(400), nullable=False),
    Column("door", String(20), nullable=False),
    Column("door_reference", String(400), nullable=False),
    Column("is_demo", Boolean, nullable=False),
    Column("milliseconds", Float, nullable=False),
    Column("body", LargeBinary),
    Column("given", LargeBinary),
    Column("is_signed", Boolean),
)
Index("answers_by_time", ANSWERS.c.made_at)
Index("answers_by_patient", ANSWERS.c.patient_key, ANSWERS.c.made_at)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("number", _KEY, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("answer", String(43), ForeignKey("answers.id"), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("option", String(200), nullable=False),
    Column("dose", Float),
    Column("reason", String(200), nullable=False),
    Column("comment", Text, nullable=False),
    Column("decided_by", String(400), nullable=False),
    Column("decided_at", String(32), nullable=False),
)
Index("decisions_by_answer", DECISIONS.c.answer)

CARDS = Table(
    "cards",
    METADATA,
    Column("uuid", String(36), primary_key=True),
    Column("answer", String(43), ForeignKey("answers.id"), nullable=False),
    Column("suggestions", Text, nullable=False),
)
"""Cards sent to CDS Hooks clients; suggestions as JSON: the option of each by its UUID."""
Index("cards_by_answer", CARDS.c.answer)

NONCES = Table(
    "nonces",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("until", Float, nullable=False),
)
"""Nonces of tokens, sessions ended before their time, and used links, until they expire; hashed.
Seconds since 1970."""
Index("nonces_by_time", NONCES.c.until)

PEOPLE = Table(
    "people",
    METADATA,
    Column("subject", String(400), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("seen_at", String(32), nullable=False),
)
"""Who signed in, by the name that pages show; apart from the audit log, which has no names."""

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("number", _KEY, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("service", String(200), nullable=False),
    Column("card", String(200), nullable=False),
    Column("answer", String(43), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("comment", Text, nullable=False),
    Column("suggestions", Text, nullable=False),
    Column("outcome_at", String(40), nullable=False),
    Column("sent_by", String(400), nullable=False),
    Column("received_at", String(32), nullable=False),
)
Index("feedback_by_card", FEEDBACK.c.card)

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("number", _KEY, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("patient_key", String(200), nullable=False),
    Column("answer", String(43), nullable=False),
    Column("code", String(400), nullable=False),
    Column("value", Float),
    Column("observed_at", String(40), nullable=False),
    Column("sent_by", String(400), nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
)
Index("outcomes_by_key", OUTCOMES.c.key, OUTCOMES.c.version, unique=True)
Index("outcomes_by_answer", OUTCOMES.c.answer)

AUDIT = Table(
    "audit",
    METADATA,
    Column("number", _KEY, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("action", String(60), nullable=False),
    Column("caller", String(400), nullable=False),
    Column("model", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Column("before", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

SERVED = Table(
    "served",
    METADATA,
    Column("number", _KEY, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),
    Column("model", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("action", String(20), nullable=False),
    Column("caller", String(400), nullable=False),
    Column("reason", Text, nullable=False),
)
"""Which model answered from when: a row for each start, swap, rollback, stop and restart."""

CHALLENGERS = Table(
    "challengers",
    METADATA,
    Column("number", _KEY, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),
    Column("model", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("action", String(20), nullable=False),
    Column("caller", String(400), nullable=False),
    Column("reason", Text, nullable=False),
)
"""Which challenger answered silently beside a model from when: apart from SERVED, since nothing
that it answers reaches anybody."""

SHADOWS = Table(
    "shadows",
    METADATA,
    Column("number", _KEY, primary_key=True, autoincrement=True),
    Column("answer", String(43), ForeignKey("answers.id"), nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("state", String(40), nullable=False),
    Column("option", String(200), nullable=False),
    Column("dose", Float),
    Column("champion_option", String(200), nullable=False),
    Column("champion_dose", Float),
    Column("milliseconds", Float, nullable=False),
    Column("body", LargeBinary),
)
"""What a challenger answered to the question of an answer: apart from ANSWERS, so that no page,
card, decision or history can take it for what was answered."""
Index("shadows_by_answer", SHADOWS.c.answer, SHADOWS.c.digest, unique=True)
Index("shadows_by_version", SHADOWS.c.digest, SHADOWS.c.number)
