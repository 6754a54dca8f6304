"""Assemble the recommendation for one patient from the policy and the evidence kept with it."""

import datetime
from dataclasses import replace
from functools import lru_cache

import numpy as np

from posology.advice.agreement import (
    describe_disagreement,
    describe_other_range,
    with_range_of_dose,
)
from posology.advice.form.unit_names import unit_words
from posology.advice.goal import describe_goal
from posology.advice.inputs import NOTHING_MORE, AdviceInputs
from posology.advice.options import in_order, list_options, without_estimates
from posology.advice.prediction import PatientPrediction, predict_patient
from posology.advice.safety import describe_safety
from posology.advice.states import RANKED, decide_state
from posology.advice.uncertainty.certainty import (
    PatientAtHand,
    assess_certainty,
    with_intervals,
)
from posology.advice.uncertainty.evidence import NOT_MEASURED
from posology.advice.wording.fact_names import fact_name
from posology.advice.words import describe_answer, reference_title
from posology.domain.codes import display_name, has_prefix
from posology.domain.history import History, code_finder
from posology.domain.policy import Policy
from posology.domain.recommendation.findings import Certainty, MissingFact
from posology.domain.recommendation.option import DoseAdvice
from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    DOSE_ONLY,
    NOT_ELIGIBLE,
    UNSURE,
    Recommendation,
)
from posology.domain.recommendation.why import Why
from posology.domain.safety import history_facts
from posology.domain.safety_rules.check import SafetyCheck, check_safety
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr

_NOT_ASSUMED = deferred("Nothing: the model also learned from patients without it.")


def recommend(
    policy: Policy, study: Study, history: History, inputs: AdviceInputs = NOTHING_MORE
) -> Recommendation:
    """Advice for the only patient of the history, at their last step."""
    visible = inputs.visible or history_facts(
        policy.profile, history, history.step_offsets[1:2] - 1
    )
    checked = inputs.checked or check_safety(study, visible)
    today = inputs.today or datetime.datetime.now(datetime.UTC).date()
    safe = describe_safety(study, visible, checked, today)
    inputs = replace(inputs, safety=(*safe.findings, *inputs.safety))
    checked = _forbid(checked, study, inputs.forbidden)
    prediction = predict_patient(policy, study, history, inputs.seen, checked)
    prediction, inputs, given = _with_uncertainty(policy, study, history, prediction, inputs)
    found = list_options(study, prediction, inputs, given)
    state = decide_state(study, prediction, inputs, found)
    options = in_order(found, is_ranked=state in RANKED)
    if state in ABSTAINED:  # where there is no answer, no option may read as better
        options = tuple(without_estimates(option) for option in options)
    if state in ABSTAINED and state != UNSURE:  # no dose is advised, so none was moved
        prediction = replace(prediction, warnings=())
    if state == NOT_ELIGIBLE:  # not even the doses and guidelines of other patients
        options = tuple(replace(option, dose=None, remarks=()) for option in options)
        prediction = replace(prediction, dose=None)
        inputs = replace(inputs, guideline=(), certainty=Certainty(), why=Why())
    unlike: tuple[str, ...] = ()
    if state == DOSE_ONLY:
        unlike = describe_disagreement(study, prediction.dose, options)
        unlike = unlike or describe_other_range(study, prediction.dose, options)
    headline, lead = describe_answer(state, prediction, inputs, options)
    remarks = (*inputs.callouts, *safe.callouts, *prediction.warnings, *unlike)
    return Recommendation(
        state=state,
        headline=headline,
        lead=lead,
        goal=describe_goal(study),
        unit="" if inputs.evidence is None else unit_words(inputs.evidence.study.unit),
        reference=reference_title(found),
        is_ranked=state in RANKED,
        options=options,
        dose=_with_usual(prediction.dose, inputs.usual_dose),
        guideline=inputs.guideline,
        callouts=tuple(text for text in remarks if text not in lead),
        certainty=inputs.certainty,
        safety=inputs.safety,
        missing=() if state == NOT_ELIGIBLE else _missing(study, policy, history, inputs),
        why=inputs.why,
        model=inputs.label,
        time=inputs.time,
        known=inputs.known,
    )


def _forbid(checked: SafetyCheck, study: Study, names: tuple[str, ...]) -> SafetyCheck:
    """The check, with options that other findings forbid."""
    also = np.array([[name in names for name in study.formulary.names]])
    return replace(checked, forbidden=checked.forbidden | also)


def _with_uncertainty(
    policy: Policy,
    study: Study,
    history: History,
    prediction: PatientPrediction,
    inputs: AdviceInputs,
) -> tuple[PatientPrediction, AdviceInputs, tuple[int | None, ...]]:
    """The dose with its intervals, how sure the answer is, and patients alike by option."""
    if inputs.uncertainty == NOT_MEASURED:
        return prediction, inputs, ()
    patient = PatientAtHand(study, policy.profile, history)
    effectiveness = prediction.effectiveness.mean(axis=1)
    found = assess_certainty(inputs.uncertainty, patient, effectiveness, inputs.facts)
    if prediction.dose is not None:
        dose = with_intervals(prediction.dose, inputs.uncertainty, patient, effectiveness)
        prediction = replace(prediction, dose=dose)
        certainty = with_range_of_dose(study, found.certainty, dose)
        found = replace(found, certainty=certainty)
    why = replace(inputs.why, similar=found.similar)
    required = inputs.required or _why_lacking(found.lacking, inputs.callouts)
    certainty = found.certainty
    return prediction, replace(inputs, certainty=certainty, why=why, required=required), found.given


def _why_lacking(lacking: tuple[str, ...], callouts: tuple[str, ...]) -> tuple[str, ...]:
    """Why there is no answer without facts that nearly all training patients had."""
    if not lacking:
        return ()
    first, *others = lacking
    is_unread = any(
        text.startswith(tr("Given but not used: {fact}").format(fact=f"{first} "))
        for text in callouts
    )
    head = tr("No answer yet: {fact} is not recorded.")
    if is_unread:
        head = tr("No answer yet: {fact} is given in a word that the model does not know.")
    had = tr("Nearly all patients that it learned from had it.")
    if others:
        had = tr("Nearly all patients that it learned from had it, and also {facts}.")
    return head.format(fact=first), had.format(facts=", ".join(others))


def _with_usual(dose: DoseAdvice | None, usual: float | None) -> DoseAdvice | None:
    return None if dose is None else replace(dose, usual=usual)


def _missing(
    study: Study, policy: Policy, history: History, inputs: AdviceInputs
) -> tuple[MissingFact, ...]:
    """The facts that are missing; the one that stops the answer is a required one."""
    head = "".join(inputs.required[:1])
    return tuple(
        replace(fact, is_required=True) if _is_named(fact.fact, head) else fact
        for fact in list_missing(study, policy, history)
    )


def _is_named(fact: str, head: str) -> bool:
    """Whether the headline says that the fact stops the answer."""
    return head.startswith(tr("No answer yet: {fact}").format(fact=f"{fact_name(fact)} "))


def list_missing(study: Study, policy: Policy, history: History) -> tuple[MissingFact, ...]:
    """The study's facts that the model knows and this patient has no event of."""
    decision = history.step_offsets[1:2] - 1
    groups = (code for _, codes in study.subgroups for code in codes)
    families = tuple(dict.fromkeys((*study.profile.families, *groups)))
    missing, is_present = [], code_finder(history, decision)
    for family, name in zip(families, _short_names(families, study.names), strict=True):
        rows = policy.profile.rows((family,))
        if rows and not is_present(rows)[0]:
            required = study.profile.required_for_advice
            is_required = any(has_prefix(family, r) or has_prefix(r, family) for r in required)
            missing.append(MissingFact(name, tr(_NOT_ASSUMED), "", is_required))
    return tuple(missing)


@lru_cache(maxsize=64)
def _short_names(codes: tuple[str, ...], names: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Names without units, where that does not make two names one."""
    whole = [display_name(code, names) for code in codes]
    short = [name.partition(", ")[0] for name in whole]
    return tuple(s if short.count(s) == 1 else w for s, w in zip(short, whole, strict=True))
