"""Measure how sure a policy's answers are, on patients that it did not learn from."""

from typing import Any

import numpy as np

from posology.advice.uncertainty.alike import fit_patients_alike
from posology.advice.uncertainty.distance import fit_distance
from posology.advice.uncertainty.dose_intervals import DoseIntervals, fit_dose_intervals
from posology.advice.uncertainty.evidence import EVIDENCE, UncertaintyEvidence
from posology.advice.uncertainty.option_sets import fit_option_sets
from posology.advice.uncertainty.predictions import dose_bands, dose_predictions
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split, subset_decisions
from posology.domain.policy import Policy
from posology.domain.serialization import deserialize, serialize
from posology.evaluation.table1.dose_error import true_dose
from posology.evaluation.table1.predictions import Predictions, predict_cohort


def measure_uncertainty(policy: Policy, cohort: Cohort, seed: int = 0) -> dict[str, Any]:
    """`{"uncertainty": ...}` for the evidence of a policy fitted on the cohort's training split.

    Intervals and sets are calibrated on the validation split, counts of patients alike are of
    training and validation, the distance is from training. The test split is not used.
    """
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    learned = subset_decisions(cohort, np.isin(cohort.split, (TRAIN, VALIDATION)))
    rng = np.random.default_rng(seed)
    predicted = predict_cohort(policy, validation) if len(validation) else None
    evidence = UncertaintyEvidence(
        dose=None if predicted is None else calibrate_doses(predicted, validation),
        options=None
        if predicted is None
        else fit_option_sets(predicted.effectiveness, validation.best_treatment),
        alike=fit_patients_alike(learned, cohort.study.advice.needed_alike, rng),
        distance=fit_distance(train, rng) if len(train) else None,
    )
    return {EVIDENCE: serialize(evidence, {})}


def stored_uncertainty(evidence: dict[str, Any]) -> UncertaintyEvidence:
    """What `measure_uncertainty` stored; nothing if the policy was saved before it existed."""
    stored = evidence.get(EVIDENCE)
    return UncertaintyEvidence() if stored is None else deserialize(UncertaintyEvidence, stored, {})


def calibrate_doses(predicted: Predictions, validation: Cohort) -> DoseIntervals | None:
    """Both intervals of the single dose; None where the study has none or none is known."""
    study = validation.study
    if study.dose is None:
        return None
    at = (validation.history, validation.last_step)
    said = dose_predictions(study, validation.profile, at, predicted.dose, predicted.effectiveness)
    return fit_dose_intervals(said, true_dose(validation), dose_bands(study))
