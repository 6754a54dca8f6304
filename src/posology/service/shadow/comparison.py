"""A challenger beside the model in use: where they agree, and how far apart they are. No verdict.

Which of the two is better is a question for a gate that controls its errors over repeated looks;
these numbers are read at any time and cannot answer it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from posology.domain.recommendation.recommendation import ABSTAINED
from posology.domain.study import Study
from posology.service.deployment import Deployment
from posology.service.models.served import ServedModel
from posology.service.shadow.followed_pairs import OutcomeComparison, compare_outcomes
from posology.service.shadow.groups import GroupDifference, compare_groups
from posology.service.shadow.shares import MIN_PAIRS, Share, share_of
from posology.service.store.challengers import last_challenger_change
from posology.service.store.shadows import NOT_ANSWERED, read_pairs
from posology.service.store.tables import ANSWERS

NEAR, FAR = 0.1, 0.2
"""Doses further apart than this share of the dose in use are counted."""


@dataclass(frozen=True, slots=True)
class DoseDifference:
    """The challenger's dose beside the dose in use, where both gave one."""

    pairs: int
    unit: str
    median: float
    """Of the challenger's dose minus the one in use."""
    median_apart: float
    """Of its size."""
    over_10: Share
    """Pairs with doses more than 10 % apart, of the dose in use."""
    over_20: Share


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds for an answer; the challenger's process gives way to all others."""

    median: float
    slowest_of_100: float
    """The 99th percentile."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Which of the two gave an answer, in pairs."""

    both: int = 0
    only_model_in_use: int = 0
    only_challenger: int = 0
    neither: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The newest pairs of the two versions: answers to the same questions."""

    champion: str
    """Digest of the model in use."""
    challenger: str
    since: str
    """The first of these pairs, or when the challenger was set."""
    answers: int
    """Answers of the model in use since then."""
    pairs: int
    """Of these, those that the challenger answered too; an abstention is an answer."""
    patients: int
    not_answered: dict[str, int] = field(default_factory=dict)
    """Of these, those where it failed, was too slow or could not read the patient."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Questions not put to it, by reason, since this service started."""
    is_paused: bool = False
    """It failed so often in a row that it gets no questions until it is set again."""
    answered: Answered = Answered()
    same_first: Share | None = None
    """The same option first, or none first in both; of the pairs that both answered."""
    dose: DoseDifference | None = None
    groups: tuple[GroupDifference, ...] = ()
    milliseconds: tuple[Latency, Latency] | None = None
    """Of the model in use, and of the challenger."""
    outcomes: OutcomeComparison | None = None


def compare(deployment: Deployment, champion: ServedModel, challenger: ServedModel) -> Comparison:
    """What the store knows of the two; not for the event loop."""
    found = deployment.store.read_now(_compare, champion, challenger)
    dropped = {
        reason: count
        for (name, reason), count in deployment.shadow.dropped.items()
        if name == champion.name
    }
    is_paused = deployment.shadow.is_paused(challenger.digest)
    return Comparison(**found, dropped=dropped, is_paused=is_paused)


def _compare(
    connection: Connection, champion: ServedModel, challenger: ServedModel
) -> dict[str, Any]:
    name, study = champion.name, champion.artifact.study
    last = last_challenger_change(connection, name)
    rows = read_pairs(connection, name, champion.digest, challenger.digest)
    since = min([row.answered_at for row in rows], default="" if last is None else last.at)
    counted = select(func.count()).select_from(ANSWERS)
    answers = counted.where(ANSWERS.c.model == name, ANSWERS.c.digest == champion.digest)
    pairs = [row for row in rows if row.state not in NOT_ANSWERED]
    differing = {row.answer: differs(row) for row in pairs}
    return {
        "champion": champion.digest,
        "challenger": challenger.digest,
        "since": since,
        "answers": connection.execute(answers.where(ANSWERS.c.made_at >= since)).scalar() or 0,
        "pairs": len(pairs),
        "patients": len({patient_of(row) for row in pairs}),
        "not_answered": dict(Counter(row.state for row in rows if row.state in NOT_ANSWERED)),
        "answered": _answered(pairs),
        "same_first": same_first(pairs),
        "dose": _doses(pairs, study),
        "groups": compare_groups(connection, differing),
        "milliseconds": _latencies(pairs),
        "outcomes": compare_outcomes(connection, champion, challenger.digest, differing),
    }


def patient_of(pair: Any) -> str:
    """The patient's key, or the answer's id where nobody named the patient."""
    return pair.patient_key or pair.answer


def _has_both(pair: Any) -> bool:
    return pair.state not in ABSTAINED and pair.champion_state not in ABSTAINED


def differs(pair: Any) -> bool:
    """Whether the two advise something else: another option first, a dose over 10 % apart, or an
    answer from one of them alone."""
    if (pair.state in ABSTAINED) != (pair.champion_state in ABSTAINED):
        return True
    return pair.option != pair.champion_option or _apart(pair) > NEAR


def _apart(pair: Any) -> float:
    """By which share of the dose in use the challenger's dose is another; 0 without two doses."""
    if pair.dose is None or not pair.champion_dose:
        return 0.0
    return abs(pair.dose - pair.champion_dose) / abs(pair.champion_dose)


def _answered(pairs: Sequence[Any]) -> Answered:
    counts = Counter((p.champion_state in ABSTAINED, p.state in ABSTAINED) for p in pairs)
    return Answered(
        counts[False, False], counts[False, True], counts[True, False], counts[True, True]
    )


def same_first(pairs: Sequence[Any]) -> Share | None:
    """Of the pairs that both answered."""
    both = [pair for pair in pairs if _has_both(pair)]
    same = [pair.option == pair.champion_option for pair in both]
    return share_of(same, [patient_of(pair) for pair in both])


def _doses(pairs: Sequence[Any], study: Study) -> DoseDifference | None:
    both = [p for p in pairs if _has_both(p) and p.dose is not None and p.champion_dose]
    owner = [patient_of(pair) for pair in both]
    difference = np.array([pair.dose - pair.champion_dose for pair in both])
    over = [share_of([_apart(pair) > limit for pair in both], owner) for limit in (NEAR, FAR)]
    if over[0] is None or over[1] is None:
        return None
    ranges = [study.dose, study.formulary.dose, *(t.dose for t in study.formulary.treatments)]
    units = [one.unit for one in ranges if one is not None]
    return DoseDifference(
        pairs=len(both),
        unit=units[0] if units else "",
        median=float(np.median(difference)),
        median_apart=float(np.median(np.abs(difference))),
        over_10=over[0],
        over_20=over[1],
    )


def _latencies(pairs: Sequence[Any]) -> tuple[Latency, Latency] | None:
    if len(pairs) < MIN_PAIRS:
        return None
    return (
        _latency([pair.champion_milliseconds for pair in pairs]),
        _latency([pair.milliseconds for pair in pairs]),
    )


def _latency(values: Sequence[float]) -> Latency:
    slowest = np.quantile(values, 0.99, method="inverted_cdf")
    return Latency(float(np.median(values)), float(slowest))
