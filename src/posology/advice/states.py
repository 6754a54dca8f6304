"""Which state an answer is in: whether something is shown better, or why there is no answer."""

from posology.advice.inputs import AdviceInputs
from posology.advice.prediction import PatientPrediction
from posology.domain.recommendation.recommendation import (
    ALL_FORBIDDEN,
    DOSE_ONLY,
    NOT_JUDGED,
    OUTSIDE_TRAINING,
    TOO_FEW_ALIKE,
    UNSURE,
)
from posology.domain.study import Study


def decide_state(study: Study, prediction: PatientPrediction, inputs: AdviceInputs) -> str:
    """The state of one patient's answer; reasons against any answer come first."""
    certainty = inputs.certainty
    if not prediction.allowed.any():
        return ALL_FORBIDDEN
    if certainty.is_outside_training:
        return OUTSIDE_TRAINING
    found, needed = certainty.similar_patients, certainty.needed_patients
    if found is not None and needed is not None and found < needed:
        return TOO_FEW_ALIKE
    if study.outcome.kind == "dose_class":
        return UNSURE if _is_too_wide(study, prediction) else DOSE_ONLY
    return NOT_JUDGED


def _is_too_wide(study: Study, prediction: PatientPrediction) -> bool:
    """Whether the wide dose interval is wider than the study allows."""
    dose, limit = prediction.dose, study.advice.widest_dose
    if dose is None or dose.ready_for is None or limit is None:
        return False
    low, high = dose.ready_for
    return high > limit * low
