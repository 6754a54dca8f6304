"""What the store knows of one model's answers, week by week."""

import bisect
import datetime
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, case, desc, func, select

from posology.domain.recommendation.recommendation import ABSTAINED
from posology.service.store.clock import now, to_text
from posology.service.store.tables import ANSWERS, DECISIONS, OUTCOMES
from posology.service.work import unpack

WEEKS = 12
MOST_READ = 600
"""Newest answers of which the patient's facts are looked at."""
MOST_TIMED = 500
"""Newest answers of each week whose times are read: enough for the slowest of 100."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(slots=True)
class Week:
    """Answers of seven days."""

    answers: int = 0
    abstained: int = 0
    milliseconds: list[float] = field(default_factory=list)
    read: int = 0
    """Answers of which the facts were looked at."""
    missing: Counter[str] = field(default_factory=Counter)
    """Of each fact, in how many of those it was not recorded."""
    outside: int = 0
    """Of those, patients unlike training."""
    numbers: dict[str, list[float]] = field(default_factory=dict)
    """Of each fact with a number, its values."""


@dataclass(slots=True)
class Use:
    """What was done with the answers."""

    weeks: list[Week]
    """The oldest first; the last one ends now."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Newest decision of each answer; under "" those without one."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Main reason of those that were overridden or modified."""
    known_outcomes: int = 0


def read_use(connection: Connection, model: str) -> Use:
    """The last WEEKS of a model: counts by the database, and a bounded number of rows."""
    moment = now()
    ends = [moment - datetime.timedelta(weeks=WEEKS - at) for at in range(WEEKS + 1)]
    edges = [to_text(end) for end in ends]
    recent = (ANSWERS.c.model == model, ANSWERS.c.made_at >= edges[0])
    last = [*edges[1:-1], ""]  # the last week has no end: another clock may be ahead
    spans = zip(edges[:-1], last, strict=True)
    use = Use([_read_week(connection, model, *span) for span in spans])
    _count_decisions(connection, use, recent)
    bodies = select(ANSWERS.c.made_at, ANSWERS.c.body).where(*recent)
    newest = bodies.order_by(desc(ANSWERS.c.made_at)).limit(MOST_READ)
    for made_at, body in connection.execute(newest):
        if body is not None:
            at = bisect.bisect_right(edges, made_at, 0, WEEKS) - 1
            _look(use.weeks[at], unpack(body)["recommendation"])
    known = select(func.count(func.distinct(OUTCOMES.c.answer)))
    joined = known.join(ANSWERS, ANSWERS.c.id == OUTCOMES.c.answer).where(*recent)
    use.known_outcomes = connection.execute(joined).scalar() or 0
    return use


def _read_week(connection: Connection, model: str, start: str, end: str) -> Week:
    """Counts and times from one moment to before another ("": to now)."""
    own = [ANSWERS.c.model == model, ANSWERS.c.made_at >= start]
    own += [ANSWERS.c.made_at < end] if end else []
    abstained = func.sum(case((ANSWERS.c.state.in_(ABSTAINED), 1), else_=0))
    counts = connection.execute(select(func.count(), abstained).where(*own)).one()
    times = select(ANSWERS.c.milliseconds).where(*own)
    newest = times.order_by(desc(ANSWERS.c.made_at)).limit(MOST_TIMED)
    return Week(counts[0], int(counts[1] or 0), list(connection.scalars(newest)))


def _count_decisions(connection: Connection, use: Use, recent: Iterable[Any]) -> None:
    query = (
        select(DECISIONS.c.answer, DECISIONS.c.outcome, DECISIONS.c.reason)
        .join(ANSWERS, ANSWERS.c.id == DECISIONS.c.answer)
        .where(*recent)
        .order_by(DECISIONS.c.number)
    )
    last = {answer: (outcome, reason) for answer, outcome, reason in connection.execute(query)}
    use.outcomes.update(outcome for outcome, _ in last.values())
    use.outcomes[""] = sum(week.answers for week in use.weeks) - len(last)
    use.reasons.update(
        reason for outcome, reason in last.values() if outcome in ("overridden", "modified")
    )


def _look(week: Week, advice: Mapping[str, Any]) -> None:
    week.read += 1
    week.missing.update(fact["fact"] for fact in advice["missing"])
    week.outside += bool(advice["certainty"]["is_outside_training"])
    for fact in advice["known"]:
        number = _NUMBER.match(fact["value"])
        if number and " to " not in fact["value"]:
            week.numbers.setdefault(fact["fact"], []).append(float(number[0]))
