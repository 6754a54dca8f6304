"""Predictions in the study's words."""

import math
from collections.abc import Iterator

import numpy as np

from posology.domain.forecast import Course, Outlook, Risk, RiskCurve
from posology.domain.history import History, StepIndex
from posology.domain.policy import OutcomePredictions, OutcomePredictor
from posology.domain.study import Study

BLOCK = 4096
"""Decisions asked at once: bounds the memory of all members' answers."""

_MIDDLE = (2.5, 97.5)


def outlooks(
    policy: OutcomePredictor, study: Study, history: History, decisions: StepIndex
) -> Iterator[Outlook]:
    """What is to come of each decision, in their order."""
    for start in range(0, len(decisions), BLOCK):
        told = policy.predict_outcomes(history, decisions[start : start + BLOCK])
        for row in range(len(decisions[start : start + BLOCK])):
            yield _outlook(told, row, study)


def _outlook(told: OutcomePredictions, row: int, study: Study) -> Outlook:
    return Outlook(
        diagnosis=tuple(
            Risk(t.name, t.from_days, t.within_days, *_spread(told.diagnosis[row, i]))
            for i, t in enumerate(study.diagnosis)
        ),
        progression=tuple(_course(told, row, i, study) for i in range(len(study.progression))),
        time_to_event=tuple(_curve(told, row, i, study) for i in range(len(study.time_to_event))),
    )


def _course(told: OutcomePredictions, row: int, i: int, study: Study) -> Course:
    target, error = study.progression[i], float(told.progression_error[i])
    expected, low, high = _spread(told.progression[row, i])
    found = (None, None) if math.isnan(error) else (expected - error, expected + error)
    return Course(
        target.name, target.from_days, target.within_days, target.unit, expected, low, high, *found
    )


def _curve(told: OutcomePredictions, row: int, i: int, study: Study) -> RiskCurve:
    target, survival = study.time_to_event[i], told.survival[row, i]
    days = target.within_days * np.arange(1, len(survival) + 1) / len(survival)
    risk, low, high = zip(*(_spread(1.0 - members) for members in survival), strict=True)
    return RiskCurve(target.name, tuple(days.tolist()), risk, low, high)


def _spread(member: np.ndarray) -> tuple[float, float, float]:
    low, high = np.percentile(member, _MIDDLE)
    return float(member.mean()), float(low), float(high)
