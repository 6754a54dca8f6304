"""Turn a policy's outcome predictions into forecasts that a clinician can read."""

import math
from collections.abc import Iterator

import numpy as np

from posology.domain.forecast import (
    DiagnosisForecast,
    Forecast,
    ProgressionForecast,
    TimeToEventForecast,
)
from posology.domain.history import History, StepIndex
from posology.domain.policy import OutcomePredictions, OutcomePredictor
from posology.domain.study import Study

BATCH_SIZE = 4096
"""Decisions predicted at once; bounds the memory of all members' predictions."""


def forecast(
    policy: OutcomePredictor, study: Study, history: History, decisions: StepIndex
) -> Iterator[Forecast]:
    """The forecast of each decision, in order."""
    for start in range(0, len(decisions), BATCH_SIZE):
        batch = decisions[start : start + BATCH_SIZE]
        predictions = policy.predict_outcomes(history, batch)
        for row in range(len(batch)):
            yield _forecast(predictions, row, study)


def _forecast(predictions: OutcomePredictions, row: int, study: Study) -> Forecast:
    return Forecast(
        diagnosis=tuple(
            DiagnosisForecast(
                target.name,
                target.from_days,
                target.within_days,
                float(predictions.diagnosis[row, i].mean()),
            )
            for i, target in enumerate(study.diagnosis)
        ),
        progression=tuple(
            _progression(predictions, row, i, study) for i in range(len(study.progression))
        ),
        time_to_event=tuple(
            _time_to_event(predictions, row, i, study) for i in range(len(study.time_to_event))
        ),
    )


def _progression(
    predictions: OutcomePredictions, row: int, i: int, study: Study
) -> ProgressionForecast:
    target, error = study.progression[i], float(predictions.progression_error[i])
    expected = float(predictions.progression[row, i].mean())
    interval = (None, None) if math.isnan(error) else (expected - error, expected + error)
    return ProgressionForecast(
        target.name,
        target.from_days,
        target.within_days,
        target.unit,
        expected,
        *interval,
    )


def _time_to_event(
    predictions: OutcomePredictions, row: int, i: int, study: Study
) -> TimeToEventForecast:
    target, survival = study.time_to_event[i], predictions.survival[row, i]
    days = target.within_days * np.arange(1, len(survival) + 1) / len(survival)
    risk = (1.0 - survival).mean(axis=1)
    return TimeToEventForecast(target.name, tuple(days.tolist()), tuple(risk.tolist()))
