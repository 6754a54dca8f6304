"""Whether a decision about an earlier answer still stands for a newer one of the same patient."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.serialization import deserialize
from posology.service.store import DecisionRecord, StoredAnswer
from posology.service.store.decisions import decisions_of
from posology.service.work import unpack


@dataclass(frozen=True, slots=True)
class Standing:
    """The decision that holds for an answer, if any."""

    record: DecisionRecord | None = None
    at: str = ""
    changed_since: str = ""
    """Moment of a decision about an earlier answer that advised something else; "" if none."""


def standing_decision(connection: Connection, answers: Sequence[StoredAnswer]) -> Standing:
    """The decision about the first of these answers: its own, or that of one that advised the same.

    Args:
        answers: about one patient and question, the newest first.
    """
    newest, *earlier = answers
    own = decisions_of(connection, newest.id)
    if own:
        return Standing(*own[0])
    for before in earlier:
        found = decisions_of(connection, before.id)
        if found:
            record, at = found[0]
            is_same = _says_the_same(newest, before)
            return Standing(record, at) if is_same else Standing(changed_since=at)
    return Standing()


def _says_the_same(one: StoredAnswer, other: StoredAnswer) -> bool:
    """Whether both advise the same option, or the same dose with the same interval."""
    if one.body is None or other.body is None:
        return False
    return _advised(one.body) == _advised(other.body)


def _advised(body: bytes) -> tuple[object, ...]:
    advice = deserialize(Recommendation, unpack(body)["recommendation"], {})
    first = advice.options[0] if advice.options and advice.is_ranked else None
    doses = [advice.dose, None if first is None else first.dose]
    rounded = [
        None if dose is None else (dose.dose, dose.unit, _interval(dose.plan_for)) for dose in doses
    ]
    return (advice.state, first.name if first else "", *rounded)


def _interval(ends: tuple[float, float] | None) -> tuple[float, ...]:
    return tuple(round(end, 1) for end in ends or ())
