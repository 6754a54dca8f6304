"""Outcomes of patients whose question was put to both: what each had predicted.

An outcome follows what the patient was given, which the model in use or the clinician chose and
never the challenger. So the outcomes of patients for whom the two differ do not say how those
patients would have fared with the challenger's choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from posology.service.followed_outcomes import (
    Followed,
    Prediction,
    advice_of_answer,
    read_followed,
)
from posology.service.models.served import ServedModel
from posology.service.shadow.shares import MIN_PAIRS, Share, share_of
from posology.service.store.shadows import read_shadow_body
from posology.service.work import unpack

_Z_95 = 1.96


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over patients, with its normal 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DoseErrors:
    """How far each one's dose was from the dose that turned out right, of the same patients."""

    patients: int
    champion: Mean
    """Of the size of the error."""
    challenger: Mean
    difference: Mean
    """The challenger's minus that of the model in use, of each patient."""


@dataclass(frozen=True, slots=True)
class Calibrations:
    """What each predicted for the same patients, and what happened; of 100."""

    patients: int
    champion: float
    """Mean of what the model in use predicted."""
    challenger: float
    observed: Share
    champion_squared: float
    """Mean squared distance of prediction and outcome (Brier 1950), 0 to 1; lower is closer."""
    challenger_squared: float


@dataclass(frozen=True, slots=True)
class OutcomeComparison:
    """Patients with a known outcome whose question was put to both."""

    patients: int
    alike: int
    """Patients for whom both advised the same."""
    calibration: Calibrations | None
    goal_alike: Share | None
    """How many reached the goal where both advised the same; None where an answer is a dose."""
    goal_differ: Share | None
    doses: DoseErrors | None


def compare_outcomes(
    connection: Connection, champion: ServedModel, challenger: str, differs: Mapping[str, bool]
) -> OutcomeComparison | None:
    """The comparison; None with fewer than five patients.

    Args:
        challenger: its digest.
        differs: of each answer of a pair, whether the two advise something else.
    """
    differing: dict[str, bool] = {}

    def of_champion(at: Connection, answer: Any) -> Mapping[str, Any] | None:
        if answer.id not in differs:
            return None
        differing[answer.patient_key or answer.id] = differs[answer.id]
        return advice_of_answer(at, answer)

    def of_challenger(at: Connection, answer: Any) -> Mapping[str, Any] | None:
        if answer.id not in differs:
            return None
        body = read_shadow_body(at, answer.id, challenger)
        return None if body is None else unpack(body)["recommendation"]

    if not differs:
        return None
    study = champion.artifact.study
    own = read_followed(connection, champion.name, study, of_champion)
    other = read_followed(connection, champion.name, study, of_challenger)
    patients = {p.patient for p in (*own.predictions, *own.doses, *other.predictions, *other.doses)}
    if len(patients) < MIN_PAIRS:
        return None
    is_choice = study.outcome.kind != "dose_class"
    return OutcomeComparison(
        patients=len(patients),
        alike=sum(not differing.get(patient, True) for patient in patients),
        calibration=_calibrations(own, other),
        goal_alike=_goal(own, differing, False) if is_choice else None,
        goal_differ=_goal(own, differing, True) if is_choice else None,
        doses=_dose_errors(own, other),
    )


def _goal(own: Followed, differing: Mapping[str, bool], wanted: bool) -> Share | None:
    found = [p for p in own.predictions if differing.get(p.patient) == wanted]
    return share_of([p.came_true for p in found], [p.patient for p in found])


def _calibrations(own: Followed, other: Followed) -> Calibrations | None:
    """Over the patients for whom both predicted the same options."""
    first, second = _by_patient(own.predictions), _by_patient(other.predictions)
    names = [n for n in first if n in second and len(first[n]) == len(second[n])]
    mine = [p for name in names for p in first[name]]
    others = [p for name in names for p in second[name]]
    observed = share_of([p.came_true for p in mine], [p.patient for p in mine])
    if observed is None:
        return None
    return Calibrations(
        patients=len(names),
        champion=100 * float(np.mean([p.probability for p in mine])),
        challenger=100 * float(np.mean([p.probability for p in others])),
        observed=observed,
        champion_squared=_squared(mine),
        challenger_squared=_squared(others),
    )


def _squared(predictions: list[Prediction]) -> float:
    return float(np.mean([(p.probability - p.came_true) ** 2 for p in predictions]))


def _by_patient(predictions: list[Prediction]) -> dict[str, list[Prediction]]:
    found: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        found.setdefault(prediction.patient, []).append(prediction)
    return found


def _dose_errors(own: Followed, other: Followed) -> DoseErrors | None:
    first = {d.patient: abs(d.advised - d.right) for d in own.doses}
    second = {d.patient: abs(d.advised - d.right) for d in other.doses}
    names = [name for name in first if name in second]
    if len(names) < MIN_PAIRS:
        return None
    mine, others = (np.array([errors[name] for name in names]) for errors in (first, second))
    return DoseErrors(len(names), _mean(mine), _mean(others), _mean(others - mine))


def _mean(values: np.ndarray) -> Mean:
    mean = float(values.mean())
    half = _Z_95 * float(values.std(ddof=1)) / np.sqrt(len(values))
    return Mean(mean, float(mean - half), float(mean + half))
