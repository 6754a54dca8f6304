"""Whether a decision about an earlier answer still stands for a newer one of the same patient."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from posology.advice.wording.fact_names import fact_name
from posology.domain.recommendation.findings import FORBIDS, WARNING
from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.serialization import deserialize
from posology.language.catalogue import tr
from posology.service.store import DecisionRecord, StoredAnswer
from posology.service.store.decisions import decisions_of
from posology.service.work import unpack

_MOST_NAMED = 5
"""Facts that a note names."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The decision that holds for an answer, if any."""

    record: DecisionRecord | None = None
    at: str = ""
    changed_since: str = ""
    """Moment of a decision about an earlier answer that advised something else; "" if none."""
    answer: StoredAnswer | None = None
    """The answer that holds now: the newest that knew no less than the one decided upon."""
    poorer: StoredAnswer | None = None
    """The newest answer, if it knew fewer facts than that."""
    lost: tuple[str, ...] = ()
    """Names of the facts that it did not know any more."""


def standing_decision(connection: Connection, answers: Sequence[StoredAnswer]) -> Standing:
    """The decision about the first of these answers: its own, or that of one that advised the same.

    An answer that only knew less than the one decided upon reopens no decision: what differs in its
    advice comes from the gap in the record. It reopens it if any fact is new or has another value,
    or if it brings a new safety finding.

    Args:
        answers: about one patient and question, the newest first.
    """
    newest, *earlier = answers
    own = decisions_of(connection, newest.id)
    if own:
        return Standing(*own[0], answer=newest)
    for count, before in enumerate(earlier, 1):
        found = decisions_of(connection, before.id)
        if found:
            return _compare(answers[:count], before, *found[0])
    return Standing(answer=newest)


def _compare(
    later: Sequence[StoredAnswer], decided: StoredAnswer, record: DecisionRecord, at: str
) -> Standing:
    """Whether the decision stands after the later answers, of which the newest comes first."""
    before, newest = _read(decided), _read(later[0])
    if before is None or newest is None:
        return Standing(changed_since=at, answer=later[0])
    lost = _lost_facts(before, newest)
    holds, advice = later[0], newest
    if lost and not _has_news(before, newest):
        holds, advice = decided, before
        for one in later[1:]:
            read = _read(one)
            if read is not None and (not _lost_facts(before, read) or _has_news(before, read)):
                holds, advice = one, read
                break
    poorer = later[0] if lost else None
    if _advised(advice) == _advised(before):
        return Standing(record, at, answer=holds, poorer=poorer, lost=lost)
    return Standing(changed_since=at, answer=holds, poorer=poorer, lost=lost)


def _lost_facts(before: Recommendation, after: Recommendation) -> tuple[str, ...]:
    """Names of the facts that only the earlier answer knew."""
    known = {fact.fact for fact in after.known}
    return tuple(fact.fact for fact in before.known if fact.fact not in known)


def _has_news(before: Recommendation, after: Recommendation) -> bool:
    """Whether the later answer knew a fact, a value or a danger that the earlier one did not."""
    facts = {(fact.fact, fact.value) for fact in before.known}
    dangers = {finding.finding for finding in before.safety}
    return any((fact.fact, fact.value) not in facts for fact in after.known) or any(
        finding.kind in (FORBIDS, WARNING) and finding.finding not in dangers
        for finding in after.safety
    )


def _read(stored: StoredAnswer) -> Recommendation | None:
    """The recommendation; None after its retention."""
    if stored.body is None:
        return None
    return deserialize(Recommendation, unpack(stored.body)["recommendation"], {})


def _advised(advice: Recommendation) -> tuple[object, ...]:
    """The state, and the option or the dose with its interval."""
    first = advice.options[0] if advice.options and advice.is_ranked else None
    doses = [advice.dose, None if first is None else first.dose]
    rounded = [
        None if dose is None else (dose.dose, dose.unit, _interval(dose.plan_for)) for dose in doses
    ]
    return (advice.state, first.name if first else "", *rounded)


def _interval(ends: tuple[float, float] | None) -> tuple[float, ...]:
    return tuple(round(end, 1) for end in ends or ())


def lost_words(names: Sequence[str]) -> str:
    """`fewer facts than before: height, VKORC1 missing`."""
    shown = ", ".join(fact_name(name) for name in names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        more = tr("and {count} more").format(count=len(names) - _MOST_NAMED)
        shown = f"{shown} {more}"
    return tr("fewer facts than before: {facts} missing").format(facts=shown)
