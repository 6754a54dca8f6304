"""Value of a rule against every single option, usual care and guidelines.

Every value is a mean of doubly robust scores (causal/doubly_robust_scores.py) over patients from
whom the rule was not learned; every interval resamples patients. Intervals of the options' average
effects are simultaneous, since readers look for the option that differs.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask, Matrix, option_name
from posology.evaluation.intervals import (
    Difference,
    Interval,
    bootstrap_means,
    paired_difference,
    percentile_interval,
    simultaneous_differences,
)
from posology.evaluation.off_policy.support import effective_sample_size

ChosenOption = Int64[np.ndarray, " decision"]
ReferenceOption = int | Int64[np.ndarray, " decision"]
"""One option for all; if rules are cross-fitted, the option chosen without each patient's fold."""

USUAL_CARE = "usual care"
_Means = Float64[np.ndarray, "_ treatment"]


@dataclass(frozen=True, slots=True)
class RuleValue:
    """Mean outcome if every patient were treated by the rule, and its gain."""

    rule: str
    value: Interval
    gain: Difference
    """Over the reference, on the same patients."""
    option_shares: tuple[float, ...]
    """Share of patients to whom the rule gives each option."""
    effective_sample_size: float
    """Effective sample size of the patients who were treated as the rule recommends."""


@dataclass(frozen=True, slots=True)
class AverageEffect:
    """Average treatment effect: one option for all against another for all."""

    option: str
    comparator: str
    effect: Difference
    """Its 95 % interval and p value count all options that are compared."""
    unadjusted: Difference
    """Difference between the mean outcomes of the patients given each option: unbiased in a
    randomised trial, otherwise only descriptive."""
    patients: int


def one_hot_probabilities(chosen: ChosenOption, options: int) -> Matrix:
    """Probabilities of a deterministic rule."""
    return np.eye(options)[chosen]


def estimate_rule_values(
    nuisance: Nuisance,
    rules: Mapping[str, Matrix],
    reference: ReferenceOption,
    rng: np.random.Generator,
    population: Mask | None = None,
) -> tuple[RuleValue, ...]:
    """Value of each rule, of each single option for all, and of usual care.

    Args:
        rules: probabilities of the options at every decision.
        reference: the single option, chosen on other patients, that gains are measured against.
        population: the analysis population; by default every patient.
    """
    trial, scores = nuisance.trial, nuisance.scores
    included = np.ones(len(trial), dtype=bool) if population is None else population
    one_hot = np.eye(trial.n_options)
    singles = {
        f"{option_name(trial, k)} for all": one_hot[[k] * len(trial)]
        for k in range(trial.n_options)
    }
    policies = {**rules, **singles}
    outcomes = [(p * scores).sum(axis=1)[included] for p in policies.values()]
    shares = [p[included].mean(axis=0) for p in policies.values()]
    effective = [rule_effective_sample_size(nuisance, p, included) for p in policies.values()]
    outcomes.append(trial.outcome[included])  # usual care: observed outcomes, nothing is estimated
    shares.append(one_hot[trial.treatment][included].mean(axis=0))
    subject = trial.subject[included]
    effective.append(effective_sample_size(np.ones(len(subject)), subject))
    outcomes.append(scores[np.arange(len(trial)), reference][included])
    columns = np.column_stack(outcomes)
    values, draws = columns.mean(axis=0), bootstrap_means(columns, subject, rng)
    return tuple(
        RuleValue(
            rule=rule,
            value=percentile_interval(float(values[i]), draws[:, i]),
            gain=paired_difference(float(values[i] - values[-1]), draws[:, i], draws[:, -1]),
            option_shares=tuple(float(s) for s in shares[i]),
            effective_sample_size=effective[i],
        )
        for i, rule in enumerate([*policies, USUAL_CARE])
    )


def rule_effective_sample_size(
    nuisance: Nuisance, probabilities: Matrix, population: Mask
) -> float:
    """Effective sample size, in patients, under the importance weights of a rule.

    A decision's weight is the rule's probability of the observed treatment over its propensity; a
    patient's weight is the sum over the decisions.
    """
    trial, rows = nuisance.trial, np.arange(len(nuisance.trial))
    probability = probabilities[rows, trial.treatment]
    weight = probability / nuisance.propensity.probability[rows, trial.treatment]
    return effective_sample_size(weight[population], trial.subject[population])


def estimate_average_effects(
    nuisance: Nuisance,
    comparator: int,
    rng: np.random.Generator,
    population: Mask | None = None,
    is_selected: bool = False,
) -> tuple[AverageEffect, ...]:
    """Average effect of each option against `comparator`, with simultaneous intervals.

    Args:
        population: the analysis population; by default every patient.
        is_selected: whether the comparator was selected by its mean outcome on these patients. The
            intervals then hold for every pair of options, and so for any comparator.
    """
    trial, n = nuisance.trial, nuisance.trial.n_options
    included = np.ones(len(trial), dtype=bool) if population is None else population
    subject, treatment = trial.subject[included], trial.treatment[included]
    scores, arms = nuisance.scores[included], np.eye(n)[treatment]
    columns = np.hstack([scores, arms * trial.outcome[included, None], arms])
    draws = bootstrap_means(columns, subject, rng)
    adjusted, unadjusted = _option_means(columns.mean(axis=0)[None, :], n)
    adjusted_draws, unadjusted_draws = _option_means(draws, n)
    patients = [len(np.unique(subject[treatment == k])) for k in range(n)]

    others = [k for k in range(n) if k != comparator]
    pairs = [(k, comparator) for k in others]
    if is_selected:
        pairs += list(itertools.combinations(others, 2))
    first, second = np.array(pairs).T

    def differences(means: _Means, mean_draws: _Means) -> list[Difference]:
        values = means[0, first] - means[0, second]
        draws = mean_draws[:, first] - mean_draws[:, second]
        return simultaneous_differences(values, draws)

    effects = differences(adjusted, adjusted_draws)
    raw = differences(unadjusted, unadjusted_draws)
    return tuple(
        AverageEffect(
            option=option_name(trial, k),
            comparator=option_name(trial, comparator),
            effect=effects[row],
            unadjusted=raw[row],
            patients=patients[k],
        )
        for row, k in enumerate(others)
    )


def _option_means(
    columns: Float64[np.ndarray, "replicate column"], n: int
) -> tuple[_Means, _Means]:
    """Mean score, and mean outcome of the patients given it, of each option; NaN for no patient."""
    total, share = columns[:, n : 2 * n], columns[:, 2 * n :]
    observed = np.divide(total, share, out=np.full(total.shape, np.nan), where=share > 0)
    return columns[:, :n], observed


def estimate_gain(
    nuisance: Nuisance,
    chosen: ChosenOption,
    reference: ReferenceOption,
    rng: np.random.Generator,
    population: Mask | None = None,
) -> Difference:
    """Gain of a rule over one option for all."""
    per_patient = gain_per_patient(nuisance.scores, chosen, reference)
    included = np.ones(len(chosen), dtype=bool) if population is None else population
    subject = nuisance.trial.subject[included]
    draws = bootstrap_means(per_patient[included, None], subject, rng)[:, 0]
    return paired_difference(float(per_patient[included].mean()), draws, np.zeros(len(draws)))


def gain_per_patient(
    scores: Matrix, chosen: ChosenOption, reference: ReferenceOption
) -> Float64[np.ndarray, " decision"]:
    """Each patient's score under the rule minus that under one option; 0 where both agree."""
    rows = np.arange(len(chosen))
    return scores[rows, chosen] - scores[rows, reference]
