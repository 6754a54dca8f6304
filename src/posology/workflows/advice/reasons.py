"""What `fit` keeps for reasons, and what reasons compare the options by."""

from typing import Any

import numpy as np

from posology.advice.comparisons import GAIN, PatientEvidence
from posology.advice.form.build import build_form
from posology.advice.form.training_facts import measure_facts
from posology.advice.why.evidence import measure_why
from posology.advice.why.surrogate import FirstOptions
from posology.advice.why.values import (
    OptionValues,
    effect_values,
    first_by_value,
    policy_values,
)
from posology.advice.why.what_if import Permitted
from posology.artifact import Artifact
from posology.domain import safety
from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex
from posology.domain.recommendation.option import FORBIDDEN, NOT_ESTIMATED
from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.study import Study
from posology.workflows.advice.patient_evidence import covariates, stored_evidence

USUAL_CARE = "usual care"


def measure_reasons(model: Artifact, train: Cohort, validation: Cohort) -> dict[str, Any]:
    """As JSON values; the rule in short imitates what the answers put first."""
    form = build_form(train.study, train.profile, measure_facts(train))
    return measure_why(train, validation, form, _chooser(model))


def _chooser(model: Artifact) -> FirstOptions | None:
    """None where the answer is a dose, or the same order for everybody."""
    if model.study.outcome.kind == "dose_class":
        return None
    stored = stored_evidence(model)
    if stored.study is None:
        return first_by_value(policy_values(model.policy, model.study))
    if stored.study.verdict != GAIN or stored.patients is None:
        return None
    judged = np.array([option.is_judged for option in stored.study.options])
    values = _effect_values(model, model.study, judged, np.full(len(judged), 1 / len(judged)))
    return None if values is None else first_by_value(values)


def compared_by(
    model: Artifact, advice: Recommendation, evidence: PatientEvidence | None, study: Study
) -> tuple[OptionValues, int] | None:
    """The effects by which this answer compares its options, and the column of the reference.

    study: with safety rules that can be judged by the facts of a History.
    """
    if evidence is None or not evidence.is_individual:
        return None
    standing = {option.name: option.standing for option in advice.options}
    names = model.study.formulary.names
    shown = np.array([standing.get(n) not in (None, NOT_ESTIMATED, FORBIDDEN) for n in names])
    values = _effect_values(model, study, shown, evidence.outcomes.usual_shares)
    if values is None:
        return None
    return values, len(names) if evidence.reference is None else evidence.reference


def _effect_values(
    model: Artifact, study: Study, shown: np.ndarray, shares: np.ndarray
) -> OptionValues | None:
    stored = stored_evidence(model)
    if stored.study is None or stored.patients is None or stored.features is None:
        return None
    profile = model.policy.profile

    def allowed(history: History, decisions: StepIndex) -> Permitted:
        return safety.allowed_treatments(study, profile, history, decisions) & shown

    titles = tuple(treatment.title for treatment in study.formulary.treatments)
    unit = stored.study.unit
    return effect_values(
        stored.patients.effects,
        covariates(model, stored.features),
        allowed,
        (USUAL_CARE, shares),
        (study.formulary.names, titles, unit),
    )
