"""Which state an answer is in: whether something is shown better, or why there is no answer."""

from posology.advice.comparisons import is_better_than
from posology.advice.inputs import AdviceInputs
from posology.advice.options import in_order
from posology.advice.prediction import PatientPrediction
from posology.domain.recommendation.option import (
    BETTER,
    FORBIDDEN,
    NOT_ESTIMATED,
    REFERENCE,
    OptionAdvice,
)
from posology.domain.recommendation.recommendation import (
    ALL_FORBIDDEN,
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    FACT_MISSING,
    NO_OPTION_BETTER,
    NOT_ELIGIBLE,
    NOT_JUDGED,
    OUTSIDE_TRAINING,
    TOO_FEW_ALIKE,
    UNSURE,
)
from posology.domain.study import Study

RANKED = (BETTER_FOR_PATIENT, BETTER_THAN_REFERENCE)


def decide_state(
    study: Study,
    prediction: PatientPrediction,
    inputs: AdviceInputs,
    options: tuple[OptionAdvice, ...],
) -> str:
    """The state of one patient's answer; reasons against any answer come first."""
    certainty = inputs.certainty
    if inputs.eligibility.not_met:
        return NOT_ELIGIBLE
    if not prediction.allowed.any():  # whatever a missing fact might be
        return ALL_FORBIDDEN
    if inputs.required:
        return FACT_MISSING
    if certainty.is_outside_training:
        return OUTSIDE_TRAINING
    found, needed = certainty.similar_patients, certainty.needed_patients
    if found is not None and needed is not None and found < needed:
        return TOO_FEW_ALIKE
    if study.outcome.kind == "dose_class":
        return UNSURE if _is_too_wide(study, prediction) else DOSE_ONLY
    if inputs.evidence is None or not any(option.difference for option in options):
        return NOT_JUDGED
    return _compare_first(inputs, options)


def _compare_first(inputs: AdviceInputs, options: tuple[OptionAdvice, ...]) -> str:
    """Whether an option is better than the reference, and the first than every other one."""
    evidence = inputs.evidence
    assert evidence is not None
    ranked = [
        o for o in in_order(options, is_ranked=True) if o.standing not in (NOT_ESTIMATED, FORBIDDEN)
    ]
    if not any(option.standing == BETTER for option in ranked):
        return NO_OPTION_BETTER
    others = [option for option in ranked if option.standing != REFERENCE]
    first, *rest = others
    is_first = first.standing == BETTER and all(
        is_better_than(evidence, first.name, other.name) for other in rest
    )
    return BETTER_FOR_PATIENT if is_first else BETTER_THAN_REFERENCE


def _is_too_wide(study: Study, prediction: PatientPrediction) -> bool:
    """Whether the wide dose interval is wider than the study allows."""
    dose, limit = prediction.dose, study.advice.widest_dose
    if dose is None or dose.ready_for is None or limit is None:
        return False
    low, high = dose.ready_for
    return high > limit * low
