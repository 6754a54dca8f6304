"""The words of an answer: its headline, its first sentences, and the goal."""

from posology.advice.inputs import AdviceInputs
from posology.advice.prediction import PatientPrediction
from posology.advice.safety import why_all_forbidden
from posology.domain.codes import display_names
from posology.domain.recommendation.recommendation import (
    ALL_FORBIDDEN,
    DOSE_ONLY,
    OUTSIDE_TRAINING,
    TOO_FEW_ALIKE,
    UNSURE,
)
from posology.domain.study import Study

BELOW = "The guideline and usual care are below."


def describe_answer(
    state: str,
    study: Study,  # noqa: ARG001 - the words of effects need it
    prediction: PatientPrediction,
    inputs: AdviceInputs,
) -> tuple[str, tuple[str, ...]]:
    """The headline, and the sentences that follow it."""
    certainty = inputs.certainty
    if state == ALL_FORBIDDEN:
        head = "No answer: every option is forbidden for this patient."
        return head, (*why_all_forbidden(inputs.safety), BELOW)
    if state == TOO_FEW_ALIKE:
        found = f"{certainty.similar_patients} were found and {certainty.needed_patients} are "
        return "No answer: too few patients like this one.", (f"{found}needed.", BELOW)
    if state == OUTSIDE_TRAINING:
        head = "No answer: this patient is unlike those the model learned from."
        return head, (*certainty.outside[:2], BELOW)
    if state == UNSURE:
        return "No answer: the right dose of this patient is too uncertain.", (
            *_describe_range(prediction),
            BELOW,
        )
    if state == DOSE_ONLY:
        return _describe_dose(prediction)
    return "No answer: it was not studied which option is better.", (BELOW,)


def _describe_dose(prediction: PatientPrediction) -> tuple[str, tuple[str, ...]]:
    dose = prediction.dose
    if dose is None:
        return "No dose is given for this patient.", prediction.warnings[:1]
    head = f"The dose that this patient is likely to need is {dose.dose:g} {dose.unit}."
    if dose.plan_for is None or dose.coverage is None:
        return head, ()
    low, high = dose.plan_for
    of_100 = f"{100 * dose.coverage:.0f} of 100 patients like this one"
    plan = f"Plan for {low:.0f} to {high:.0f} {dose.unit}: what {of_100} need."
    return head, (plan, *_describe_range(prediction))


def _describe_range(prediction: PatientPrediction) -> tuple[str, ...]:
    """The wide interval as a sentence, if it was measured."""
    dose = prediction.dose
    if dose is None or dose.ready_for is None or dose.coverage is None:
        return ()
    low, high = dose.ready_for
    of_100 = f"{100 * dose.coverage:.0f} of 100 who need little, and as many who need much"
    return (f"Be ready for {low:.0f} to {high:.0f} {dose.unit}: it holds the dose of {of_100}.",)


def describe_goal(study: Study) -> str:
    """The outcome in words, with its horizon."""
    outcome = study.outcome
    name = display_names(outcome.codes, study.names)
    return f"{name}, within {outcome.within_days:g} days"
