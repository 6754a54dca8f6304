"""A saved policy's evidence, read for one patient: effects, errors of the dose, guidelines."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64

from posology.advice.comparisons import PatientEvidence
from posology.advice.dose_support import round_dose
from posology.advice.why.values import Covariates
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.lists import either, listed
from posology.artifact import Artifact
from posology.causal.patient.model import PatientModel, patient_outcomes
from posology.domain.codes import Names, display_name
from posology.domain.formulas.formula import Formula, Term, evaluate_for_patient
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask
from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.domain.serialization import deserialize
from posology.domain.study import Rule
from posology.language.catalogue import tr, tr_count
from posology.language.numbers import number
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.workflows.advice.image_scores import add_image_scores
from posology.workflows.advice.keys import (
    ARRAYS,
    DOSE,
    EFFECTS,
    FEATURES,
    NOT_JUDGED,
    PATIENTS,
    RULES,
    STUDY,
)


@dataclass(frozen=True, slots=True, eq=False)
class StoredEvidence:
    """What an artifact keeps, as types."""

    study: StudyEvidence | None
    patients: PatientModel | None
    features: FeatureSpec | None
    dose: DoseEvidence | None
    not_judged: str
    formulas: dict[str, Formula]
    """Of the study's rules, by name, with what they fill in for missing facts."""


@lru_cache(maxsize=2)
def stored_evidence(model: Artifact) -> StoredEvidence:
    """The evidence of a saved policy; empty of one that was saved before it was measured."""
    kept: dict[str, Any] = model.evidence.get(EFFECTS) or {}
    arrays = kept.get(ARRAYS, {})
    dose = model.evidence.get(DOSE)
    study = kept.get(STUDY)
    has_models = PATIENTS in kept
    reason = kept.get(NOT_JUDGED, "")
    return StoredEvidence(
        study=None if study is None else deserialize(StudyEvidence, study, {}),
        patients=deserialize(PatientModel, kept[PATIENTS], arrays) if has_models else None,
        features=deserialize(FeatureSpec, kept[FEATURES], arrays) if has_models else None,
        dose=None if dose is None else deserialize(DoseEvidence, dose, {}),
        not_judged=f"{reason[:1].upper()}{reason[1:]}." if reason else "",
        formulas={
            entry["name"]: deserialize(Formula, entry["formula"], {})
            for entry in model.evidence.get(RULES, [])
        },
    )


def patient_evidence(model: Artifact, history: History) -> PatientEvidence | None:
    """The evidence for the only patient of the history; None where the study was not done."""
    stored = stored_evidence(model)
    if stored.study is None or stored.patients is None or stored.features is None:
        return None
    decision = history.step_offsets[1:2] - 1
    x = covariates(model, stored.features)(history, decision)[0]
    least = model.study.advice.least_difference
    return PatientEvidence(stored.study, patient_outcomes(stored.patients, x), least)


def covariates(model: Artifact, spec: FeatureSpec) -> Covariates:
    """How the covariates of the effect study are read from histories of the model's patients."""

    def read(history: History, decisions: StepIndex) -> Float64[np.ndarray, "decision feature"]:
        if model.study.profile.images:
            history = add_image_scores(model.policy, history, decisions)
        return extract_features(spec, history, decisions).astype(np.float64)

    return read


def guideline_answers(
    model: Artifact, history: History, allowed: AllowedMask, beside: tuple[str, ...] = ()
) -> tuple[tuple[str, str, str], ...]:
    """Name, choice and source of each rule of the study, for the only patient.

    Args:
        allowed: the options that nothing forbids; no other one is a rule's choice.
        beside: codes of given facts that the model has no column for; formulas count them.
    """
    return tuple(
        (rule.words, _choice(model, rule, (history, beside), allowed), rule.source)
        for rule in model.study.rules
    )


def usual_dose(model: Artifact) -> float | None:
    """The study's fixed dose, if it has one rule of that kind."""
    return next((rule.dose for rule in model.study.rules if rule.kind == "fixed"), None)


def not_judged_words(model: Artifact) -> str:
    """Why there is no evidence, as a sentence; what went wrong stays as it was kept, in English."""
    kept = stored_evidence(model).not_judged
    undone = "The effect study could not be done: "
    if kept.startswith(undone):
        text = tr("The effect study could not be done: {reason}")
        return text.format(reason=kept.removeprefix(undone))
    is_choice = kept == "The effect study was left out by choice."
    return tr("The effect study was left out by choice.") if is_choice else kept


def _choice(
    model: Artifact, rule: Rule, patient: tuple[History, tuple[str, ...]], allowed: AllowedMask
) -> str:
    history, beside = patient
    study, profile = model.study, model.policy.profile
    if rule.kind == "order":
        return _first_of_list(model, rule, history, allowed)
    formulas, assumed = stored_evidence(model).formulas, ""
    if rule.kind == "fixed" and rule.dose is not None:
        dose = rule.dose
    elif rule.name not in formulas:
        return tr(
            "not kept with this model: it was saved by an older posology, fit the study again"
        )
    else:
        decision = history.step_offsets[1:2] - 1
        at = history, decision, profile.codes
        dose, taken = evaluate_for_patient(formulas[rule.name], *at, beside)
        assumed = _assumed(taken, study.names)
    if not np.isfinite(dose):
        return tr("not known: a fact that it needs is not recorded")
    unit = study.outcome.unit if study.dose is None else study.dose.unit
    rounded = dose if study.dose is None else round_dose(dose, study.dose)
    if study.dose is not None and 2 * abs(rounded - dose) > study.dose.step + 1e-9:
        text = tr("{dose} {unit}, which this study cannot give")
        return f"{text.format(dose=number(f'{dose:.2g}'), unit=unit)}{assumed}"
    return f"{number(f'{rounded:g}')} {unit}{assumed}"


def _assumed(taken: tuple[tuple[Term, float], ...], names: Names) -> str:
    """` (it assumes height 168 cm and no amiodarone, which are not recorded)`; "" if all are.

    Of what a formula has a term for where it is unknown, only that is stated.
    """
    numbers: list[str] = []
    groups: dict[str, list[Term]] = {}
    own = [term.name for term, _ in taken if term.kind == "none"]
    for term, value in taken:
        if term.kind == "none":
            continue
        if term.kind == "value":
            numbers.append(_number_words(display_name(term.codes[0], names), value))
        else:
            groups.setdefault(term.codes[0].rpartition("//")[0], []).append(term)
    others = [
        tr("no {fact}").format(fact=terms[0].name)
        if len(terms) == 1
        else _other_than(fact, terms, names)
        for fact, terms in groups.items()
    ]
    words = [*numbers, *others]
    text = tr_count(
        "it assumes {facts}, which is not recorded",
        "it assumes {facts}, which are not recorded",
        len(words),
    )
    parts = [text.format(facts=listed(words))] if words else []
    if own:
        parts.append(tr("it allows for {facts}").format(facts=listed(own)))
    return f" ({'; '.join(parts)})" if parts else ""


def _other_than(fact: str, terms: list[Term], names: Names) -> str:
    """`race other than Asian or Black`, as the records write them; `Unknown` is no value."""
    name = display_name(fact, names)
    codes = [code for term in terms for code in term.codes]
    values = [display_name(code, names).removeprefix(f"{name}: ") for code in codes]
    values = [value for value in values if value.lower() not in ("unknown", "not known")] or values
    return tr("{fact} other than {values}").format(fact=name, values=either(values))


def _number_words(title: str, value: float) -> str:
    """`height 168 cm`; a decade of age, which begins at ten times its number, in years."""
    name, _, unit = title.partition(", ")
    if unit == "decades":
        years = tr("{years} years").format(years=f"{10 * value + 5:.0f}")
        return f"{fact_name(name)} {years}"
    return f"{fact_name(name)} {number(f'{value:.3g}')} {unit}".strip()


def _first_of_list(model: Artifact, rule: Rule, history: History, allowed: AllowedMask) -> str:
    """The first option of the list that is allowed, and the one before it that is not."""
    from posology.learners.guidelines.preference_list import PreferenceListPolicy

    if not allowed.any():
        return tr("none of its options: all are forbidden for this patient")
    formulary, decision = model.study.formulary, history.step_offsets[1:2] - 1
    ordered = PreferenceListPolicy(formulary, model.policy.profile, rule)
    titles = [treatment.title for treatment in formulary.treatments]
    first = titles[int(ordered.choice_probabilities(history, decision, allowed)[0].argmax())]
    if allowed.all():
        return first
    every = np.ones_like(allowed)
    wanted = titles[int(ordered.choice_probabilities(history, decision, every)[0].argmax())]
    text = tr("{option} ({first} would come first, but is forbidden)")
    return first if wanted == first else text.format(option=first, first=wanted)
