"""The options of a recommendation, usual care and no change among them."""

from collections.abc import Sequence

from posology.advice.prediction import PatientPrediction
from posology.advice.safety import remarks_of
from posology.domain.recommendation.findings import SafetyFinding
from posology.domain.recommendation.option import FORBIDDEN, NOT_ESTIMATED, OptionAdvice
from posology.domain.study import Study

USUAL_CARE, NO_CHANGE = "usual_care", "no_change"
TITLES = {USUAL_CARE: "Usual care", NO_CHANGE: "No change"}


def list_options(
    study: Study,
    prediction: PatientPrediction,
    given: tuple[int | None, ...] = (),
    safety: Sequence[SafetyFinding] = (),
) -> tuple[OptionAdvice, ...]:
    """Each option in the order in which it is shown, then usual care and no change.

    Args:
        given: patients like this one who were given each option; empty if not measured.
        safety: what forbids an option.
    """
    rows = [
        _option(study, prediction, k, given[k] if given else None, safety)
        for k in range(len(study.formulary.treatments))
    ]
    allowed = sorted(rows, key=lambda row: row.standing == FORBIDDEN)
    return (*allowed, _always(USUAL_CARE), _always(NO_CHANGE))


def _option(
    study: Study,
    prediction: PatientPrediction,
    k: int,
    similar: int | None,
    safety: Sequence[SafetyFinding],
) -> OptionAdvice:
    treatment = study.formulary.treatments[k]
    forbidden = not prediction.allowed[k]
    return OptionAdvice(
        name=treatment.name,
        title=treatment.title,
        standing=FORBIDDEN if forbidden else NOT_ESTIMATED,
        outcome=None,
        difference=None,
        harms=(),
        dose=None if forbidden else prediction.option_doses[k],
        similar_patients=similar,
        remarks=remarks_of(treatment.title, safety) if forbidden else (),
        choice_share=float(prediction.chosen[k]),
    )


def _always(name: str) -> OptionAdvice:
    return OptionAdvice(name, TITLES[name], NOT_ESTIMATED, None, None, (), None, None)
