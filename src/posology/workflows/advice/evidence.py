"""What `fit` measures and keeps with a policy for every later answer: effects, doses, rules."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from posology.causal.conditional_effects import fit_effect_posterior
from posology.causal.doubly_robust_scores import Nuisance, select_nuisance_rows
from posology.causal.patient.model import PatientModel
from posology.causal.patient.prognosis import Prognosis, fit_prognosis
from posology.causal.patient.usual_care import fit_usual_care
from posology.domain.cohort import TEST, VALIDATION, Cohort, select_split, subset_decisions
from posology.domain.policy import Policy
from posology.domain.serialization import serialize
from posology.errors import UserError
from posology.evaluation.effects.reference import reference_outcome
from posology.evaluation.effects.study_evidence import (
    EvidenceSource,
    HarmStudy,
    build_study_evidence,
)
from posology.evaluation.table1.dose_evidence import measure_dose_evidence
from posology.learners.effects.secondary_trials import COST_OF_HARMS, COST_UNIT, COSTS
from posology.learners.features.tabular import FeatureSpec
from posology.learners.guidelines.formula import FormulaPolicy, build_rule_policy
from posology.workflows.advice.image_scores import with_image_scores
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
from posology.workflows.effect_study import EffectResult, effect_study
from posology.workflows.progress import Progress

MAX_DECISIONS = 20_000
"""Decisions of the effect study, sampled by patient above it."""


def measure_advice_evidence(
    policy: Policy, cohort: Cohort, seed: int, max_decisions: int, progress: Progress
) -> dict[str, Any]:
    """Evidence from training and validation patients; the test split is not used.

    Where images are read, the study of effects has validation patients alone, and what the policy
    reads in their images as covariates.
    `max_decisions`: of the effect study; 0 leaves it out.
    """
    fitting = subset_decisions(cohort, cohort.split != TEST)
    rules = {rule.name: build_rule_policy(rule, fitting) for rule in cohort.study.rules}
    formulas = [
        {"name": name, "formula": serialize(rule.formula, {})}
        for name, rule in rules.items()
        if isinstance(rule, FormulaPolicy)
    ]
    evidence: dict[str, Any] = {RULES: formulas}
    if cohort.study.outcome.kind == "dose_class":
        progress("evidence for advice: error of the dose")
        rng, validation = np.random.default_rng([seed, 1]), select_split(cohort, VALIDATION)
        dose = measure_dose_evidence(policy, rules, validation, rng)
        return evidence | {DOSE: None if dose is None else serialize(dose, {})}
    if not max_decisions:
        return evidence | {EFFECTS: {NOT_JUDGED: "the effect study was left out by choice"}}
    if cohort.study.profile.images:  # of which it learned nothing
        fitting = with_image_scores(policy, select_split(cohort, VALIDATION))
    try:
        evidence[EFFECTS] = measure_effects(
            effect_study(fitting, max_decisions, seed=seed, progress=_named(progress))
        )
    except (UserError, ValueError, np.linalg.LinAlgError) as error:
        evidence[EFFECTS] = {NOT_JUDGED: f"the effect study could not be done: {error}"}
    return evidence


def measure_effects(result: EffectResult) -> dict[str, Any]:
    """The study's findings, and the models that speak of one patient, as JSON and arrays."""
    rng = np.random.default_rng([result.seed, 1])
    verdict, study = result.estimates.verdict, result.cohort.study
    source = EvidenceSource(
        study=result.estimates,
        nuisance=result.nuisance,
        harms=_harm_studies(result.harms),
        names=study.formulary.names,
        unit="" if result.trial.is_binary else result.trial.unit,
        is_randomised=study.assignment.randomised,
    )
    found: dict[str, Any] = {STUDY: serialize(build_study_evidence(source, rng), {})}
    if not verdict.overlap.judged:
        return found
    arrays: dict[str, np.ndarray] = {}
    spec = FeatureSpec(result.trial.codes, result.trial.kinds)
    found[PATIENTS] = serialize(fit_patient_model(source, rng), arrays, "patients")
    found[FEATURES] = serialize(spec, arrays, "features")
    found[ARRAYS] = arrays
    return found


def fit_patient_model(source: EvidenceSource, rng: np.random.Generator) -> PatientModel:
    """The models that speak of one patient, from the analysis population."""
    verdict = source.study.verdict
    population, reference = verdict.overlap.population, verdict.reference
    inside = select_nuisance_rows(source.nuisance, population)

    def prognosis(nuisance: Nuisance) -> Prognosis:
        target = reference_outcome(nuisance, reference)[population]
        return fit_prognosis(inside.trial, target, nuisance.fold[population])

    return PatientModel(
        reference=-1 if reference.option is None else reference.option,
        effects=fit_effect_posterior(inside, rng),
        usual_care=fit_usual_care(source.nuisance.trial, source.is_randomised),
        outcome=prognosis(source.nuisance),
        harms=tuple(prognosis(harm.nuisance) for harm in source.harms.values()),
    )


def _harm_studies(harms: Mapping[str, Nuisance]) -> dict[str, HarmStudy]:
    """Each harm by its name; events have no unit, costs have the reward's."""
    found = {name: HarmStudy(harm, "") for name, harm in harms.items() if name != COST_OF_HARMS}
    if COST_OF_HARMS in harms:
        found[COSTS] = HarmStudy(harms[COST_OF_HARMS], COST_UNIT)
    return found


def _named(progress: Progress) -> Progress:
    """Progress that says what the step is for."""

    def report(message: str, done: int = 0, total: int | None = None) -> None:
        progress(f"evidence for advice: {message}", done, total)

    return report
