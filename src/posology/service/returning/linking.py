"""Which recommendation an outcome followed, and whether it was accepted."""

import datetime
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from posology.service.store.answers import in_parts
from posology.service.store.clock import now, to_moment
from posology.service.store.decisions import ACCEPTED, CHOSEN
from posology.service.store.tables import ANSWERS, DECISIONS, FEEDBACK

ACCEPTED_WORD, OVERRIDDEN_WORD, UNKNOWN_WORD = "accepted", "overridden", "unknown"
NOBODY, BEFORE, LATER = "nobody_asked", "before_any_answer", "after_the_window"
AHEAD = "in_the_future"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One answer about a patient, in short."""

    id: str
    made_at: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Link:
    """The answer that an outcome followed; or why there is none."""

    answer: str
    """Empty: none."""
    reason: str = ""
    """NOBODY, BEFORE, LATER or AHEAD."""


def answers_by_patient(
    connection: Connection, model: str, patients: Sequence[str]
) -> dict[str, list[GivenAnswer]]:
    """The model's answers about these patients (their keys), the oldest first.

    Of a patient without a key there are none: answers about nobody named are anybody's.
    """
    found: dict[str, list[GivenAnswer]] = defaultdict(list)
    columns = (ANSWERS.c.id, ANSWERS.c.made_at, ANSWERS.c.patient_key, ANSWERS.c.body)
    for some in in_parts(key for key in patients if key):
        query = select(*columns).where(ANSWERS.c.model == model, ANSWERS.c.patient_key.in_(some))
        for row in connection.execute(query.order_by(ANSWERS.c.made_at)):
            found[row.patient_key].append(GivenAnswer(row.id, row.made_at, row.body))
    return found


def link(answers: Sequence[GivenAnswer], observed_at: str, days: float) -> Link:
    """The last answer before the observation, if it lies within the outcome's window of days."""
    if not answers:
        return Link("", NOBODY)
    if to_moment(observed_at) > now() + _DAY:
        return Link("", AHEAD)
    before = [one for one in answers if one.made_at <= observed_at]
    if not before:
        return Link("", BEFORE)
    last = before[-1]
    if (to_moment(observed_at) - to_moment(last.made_at)) / _DAY > days:
        return Link("", LATER)
    return Link(last.id)


def what_became(connection: Connection, answers: Collection[str]) -> Mapping[str, str]:
    """Of each answer ACCEPTED_WORD or OVERRIDDEN_WORD, by the last decision or feedback on it.

    An answer that nobody reacted to is not in the result. A dose that was changed is overridden.
    """
    became = {}
    for some in in_parts(sorted(answers)):
        query = select(FEEDBACK.c.answer, FEEDBACK.c.outcome).where(FEEDBACK.c.answer.in_(some))
        for row in connection.execute(query.order_by(FEEDBACK.c.number)):
            is_accepted = row.outcome == ACCEPTED
            became[row.answer] = ACCEPTED_WORD if is_accepted else OVERRIDDEN_WORD
        own = select(DECISIONS.c.answer, DECISIONS.c.outcome).where(DECISIONS.c.answer.in_(some))
        for row in connection.execute(own.order_by(DECISIONS.c.number)):
            if row.outcome != CHOSEN:  # nothing was advised
                is_accepted = row.outcome == ACCEPTED
                became[row.answer] = ACCEPTED_WORD if is_accepted else OVERRIDDEN_WORD
    return became
