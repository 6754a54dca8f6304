"""What reasons of `benchmarks.explanations` are about: effects as answers use them, or a policy."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from posology.advice.why.values import OptionValues, effect_values, policy_values
from posology.causal.conditional_effects import fit_effect_posterior
from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.patient.effect_posterior import (
    EffectPosterior,
    contrast,
    patient_posterior,
)
from posology.causal.trial import Trial
from posology.domain import safety
from posology.domain.cohort import DECISION_COLUMNS, Cohort
from posology.domain.history import History, StepIndex, offsets_from_counts, subset_subjects
from posology.learners.effects.follow_up import concatenate_follow_up, outcome_follow_up
from posology.learners.effects.policy import EffectPolicy, build_trial, treated_rows
from posology.learners.features.tabular import FeatureSpec, build_feature_spec, extract_features
from posology.learners.methods import build_learner

ANSWERS = "answers"
"""Name of the effects by which `posology recommend` compares options."""
Z_95 = 1.959964


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Values of the options, and for whom another option than the usual one is shown better."""

    values: OptionValues
    shown_better: Callable[[Cohort, int, int], int | None]
    """Test split, row of the decision and usual option to the first option, or None."""
    exchanged: Callable[[np.random.Generator], "Learned"]
    """The same with the inputs exchanged at random."""


def learn(method: str, parts: tuple[Cohort, Cohort], seed: int) -> Learned:
    """Effects, or a policy, from training and validation patients."""
    if method == ANSWERS:
        spec, posterior = fit_posterior(parts, seed)
        return _by_effects(parts[0], spec, posterior)
    policy = build_learner(method, seed).fit(*parts)
    if not isinstance(policy, EffectPolicy):
        raise SystemExit(f"--method {method}: has no inputs that could be exchanged.")
    return _by_policy(parts[0], policy)


def randomised(learned: Learned, rng: np.random.Generator) -> Learned:
    """The same weights at other inputs than they were learned for."""
    return learned.exchanged(rng)


def fit_posterior(parts: tuple[Cohort, Cohort], seed: int) -> tuple[FeatureSpec, EffectPosterior]:
    """Effects as answers compare options by, from training and validation patients."""
    spec = build_feature_spec(parts[0])
    first, second = (build_trial(part, spec) for part in parts)
    trial = Trial(
        np.concatenate([first.covariates, second.covariates]),
        np.concatenate([first.treatment, second.treatment]),
        np.concatenate([first.outcome, second.outcome]),
        np.concatenate([first.subject, second.subject]),
        first.n_options,
        first.option_names,
        concatenate_follow_up(*(outcome_follow_up(part, treated_rows(part)) for part in parts)),
    )
    nuisance = fit_nuisance(trial, np.random.default_rng(seed))
    return spec, fit_effect_posterior(nuisance, np.random.default_rng(seed))


def _by_effects(train: Cohort, spec: FeatureSpec, posterior: EffectPosterior) -> Learned:
    study, profile = train.study, train.profile
    count = len(study.formulary.names)

    def covariates(history: History, decisions: StepIndex) -> np.ndarray:
        return extract_features(spec, history, decisions).astype(np.float64)

    def allowed(history: History, decisions: StepIndex) -> np.ndarray:
        return safety.allowed_treatments(study, profile, history, decisions)

    titles = tuple(t.title for t in study.formulary.treatments)
    usual_care = ("usual care", np.full(count, 1 / count))
    options = (study.formulary.names, titles, "")
    values = effect_values(posterior, covariates, allowed, usual_care, options)

    def shown_better(test: Cohort, r: int, usual: int) -> int | None:
        at = test.last_step[r : r + 1]
        patient = patient_posterior(posterior, covariates(test.history, at)[0])
        permitted = allowed(test.history, at)[0]
        first = int(np.where(permitted, patient.mean, -np.inf).argmax())
        mean, error = contrast(patient, np.eye(count)[first] - np.eye(count)[usual])
        return first if first != usual and mean > Z_95 * error else None

    return Learned(
        values, shown_better, lambda rng: _by_effects(train, _exchanged(spec, rng), posterior)
    )


def _by_policy(train: Cohort, policy: EffectPolicy) -> Learned:
    values = policy_values(policy, train.study)

    def shown_better(test: Cohort, r: int, usual: int) -> int | None:
        outputs, permitted = values.predict(test.history, test.last_step[r : r + 1])
        first = int(np.where(permitted, outputs, -np.inf).argmax())
        return first if first != usual else None

    return Learned(
        values,
        shown_better,
        lambda rng: _by_policy(train, replace(policy, spec=_exchanged(policy.spec, rng))),
    )


def _exchanged(spec: FeatureSpec, rng: np.random.Generator) -> FeatureSpec:
    order = rng.permutation(len(spec.code))
    return replace(spec, code=spec.code[order], kind=spec.kind[order])


def resample(cohort: Cohort, rng: np.random.Generator) -> Cohort:
    """As many patients, drawn with replacement."""
    subjects = len(cohort.history.subject_id)
    drawn = np.sort(rng.integers(subjects, size=subjects))
    order = np.argsort(cohort.subject, kind="stable")
    starts = offsets_from_counts(np.bincount(cohort.subject, minlength=subjects))
    rows = [order[starts[s] : starts[s + 1]] for s in drawn]
    decision = np.concatenate(rows)
    subject = np.repeat(np.arange(subjects), [len(r) for r in rows])
    history = subset_subjects(cohort.history, drawn)
    old = cohort.history.step_offsets[cohort.subject[decision]]
    columns = {
        name: None if (column := getattr(cohort, name)) is None else column[decision]
        for name in DECISION_COLUMNS
    }
    return replace(
        cohort,
        history=history,
        subject=subject.astype(np.int64),
        last_step=cohort.last_step[decision] - old + history.step_offsets[subject],
        **columns,
    )
