"""Value of a rule against every single option, usual care and guidelines.

Every value is a mean of doubly robust scores (causal/doubly_robust_scores.py) over patients from
whom the rule was not learned; every interval resamples patients. Intervals of the options' average
effects, and of one option for all, are simultaneous: readers look for the option that differs.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask, Matrix, option_name
from posology.evaluation.intervals import (
    Difference,
    Interval,
    bootstrap_means,
    percentile_interval,
    simultaneous_differences,
    widened_difference,
)
from posology.evaluation.off_policy.support import effective_sample_size

ChosenOption = Int64[np.ndarray, "*run decision"]
"""Each decision's option; of a rule that was learned several times, on other folds, by each run."""
ReferenceOption = int | Int64[np.ndarray, "*run decision"]
"""One option for all; if rules are cross-fitted, the option chosen without each patient's fold."""

USUAL_CARE = "usual care"
AS_RANDOMISED = "treatment as randomised"
"""Observed treatment in records, and in a trial."""
_Means = Float64[np.ndarray, "_ treatment"]


@dataclass(frozen=True, slots=True)
class RuleValue:
    """Mean outcome if every patient were treated by the rule, and its gain."""

    rule: str
    value: Interval
    """NaN where `reason` says why it is not stated."""
    gain: Difference
    """Over the best single option of other patients, on the same patients."""
    reference_gain: Difference
    """Over the reference, on the same patients."""
    option_shares: tuple[float, ...]
    """Share of decisions at which the rule gives each option."""
    effective_sample_size: float
    """Effective sample size of the patients who were treated as the rule recommends."""
    restricted_share: float = 0.0
    """Share of decisions at which the rule would have given an option that cannot be judged."""
    reason: str = ""
    """Why no value is stated."""


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
    """Probabilities of a deterministic rule; of several runs, the share that chose each option."""
    runs = np.atleast_2d(chosen)
    return sum(np.eye(options)[run] for run in runs) / len(runs)


ErrorFactors = tuple[float, float]
"""Factors on the standard errors of a rule's gains over the best single option and over the
reference, for noise that cross-fitted folds share (shared_noise.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparators:
    """What the values of rules are compared with, and the options that may be given to all."""

    best_single: ReferenceOption
    """The best single option, chosen on other patients."""
    reference: Float64[np.ndarray, " decision"]
    """Per decision a number whose mean is the reference's value."""
    singles: tuple[int, ...]
    """Options with a row of their own: those that can be judged."""
    observed: str = USUAL_CARE
    """Name of treatment as observed."""


def estimate_rule_values(
    nuisance: Nuisance,
    rules: Mapping[str, Matrix],
    comparators: Comparators,
    rng: np.random.Generator,
    population: Mask | None = None,
    error_factors: Mapping[str, ErrorFactors] = MappingProxyType({}),
) -> tuple[RuleValue, ...]:
    """Value of each rule, of each single option for all, and of treatment as observed.

    Intervals of the gains of single options are simultaneous (max-t), those of rules are not.

    Args:
        rules: probabilities of the options at every decision.
        comparators: what gains are measured against.
        population: the analysis population; by default every patient.
        error_factors: of cross-fitted rules, by name.
    """
    trial, scores = nuisance.trial, nuisance.scores
    included = np.ones(len(trial), dtype=bool) if population is None else population
    one_hot = np.eye(trial.n_options)
    singles = {
        f"{option_name(trial, k)} for all": one_hot[[k] * len(trial)] for k in comparators.singles
    }
    policies = {**rules, **singles}
    outcomes = [(p * scores).sum(axis=1)[included] for p in policies.values()]
    shares = [p[included].mean(axis=0) for p in policies.values()]
    effective = [rule_effective_sample_size(nuisance, p, included) for p in policies.values()]
    outcomes.append(trial.outcome[included])  # observed outcomes: nothing is estimated
    shares.append(one_hot[trial.treatment][included].mean(axis=0))
    subject = trial.subject[included]
    effective.append(effective_sample_size(np.ones(len(subject)), subject))
    outcomes.append(option_scores(scores, comparators.best_single)[included])
    outcomes.append(comparators.reference[included])
    columns = np.column_stack(outcomes)
    values, draws = columns.mean(axis=0), bootstrap_means(columns, subject, rng)
    gains, reference_gains = (
        _gains(
            values,
            draws,
            comparator,
            range(len(rules), len(policies)),
            [error_factors.get(rule, (1.0, 1.0))[at] for rule in rules],
        )
        for at, comparator in enumerate((-2, -1))
    )
    return tuple(
        RuleValue(
            rule=rule,
            value=percentile_interval(float(values[i]), draws[:, i]),
            gain=gains[i],
            reference_gain=reference_gains[i],
            option_shares=tuple(float(s) for s in shares[i]),
            effective_sample_size=effective[i],
        )
        for i, rule in enumerate([*policies, comparators.observed])
    )


def _gains(
    values: Float64[np.ndarray, " rule"],
    draws: Float64[np.ndarray, "replicate rule"],
    comparator: int,
    simultaneous: range,
    factors: list[float],
) -> list[Difference]:
    """Gain of each rule over the comparator's column; of some of them simultaneously.

    The errors of the first gains are multiplied by `factors`.
    """
    over, over_draws = values - values[comparator], draws - draws[:, [comparator]]
    is_comparator = np.abs(over_draws).max(axis=0) < 1e-12 * (1 + np.abs(values))
    over_draws[:, is_comparator] = 0.0  # without rounding errors, which have a standard deviation
    gains = [
        widened_difference(float(over[i]), over_draws[:, i], factor)
        for i, factor in enumerate([*factors, *[1.0] * (len(values) - len(factors))])
    ]
    family = list(simultaneous)
    if family:
        together = simultaneous_differences(over[family], over_draws[:, family])
        gains[family[0] : family[-1] + 1] = together
    return gains


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
    options: Sequence[int] | None = None,
) -> tuple[AverageEffect, ...]:
    """Average effect of each option against `comparator`, with simultaneous intervals.

    Args:
        nuisance: of the decisions.
        comparator: the option that the others are compared with.
        rng: of the resamples.
        population: the analysis population; by default every patient.
        is_selected: whether the comparator was selected by its mean outcome on these patients. The
            intervals then hold for every pair of options, and so for any comparator.
        options: those that are compared, and the comparator; by default all.
    """
    trial = nuisance.trial
    included = np.ones(len(trial), dtype=bool) if population is None else population
    others = [k for k in options or range(trial.n_options) if k != comparator]
    pairs = [(k, comparator) for k in others]
    if is_selected:
        pairs += list(itertools.combinations(others, 2))
    effects, raw = _compare_pairs(nuisance, pairs, rng, included)
    subject, treatment = trial.subject[included], trial.treatment[included]
    return tuple(
        AverageEffect(
            option=option_name(trial, k),
            comparator=option_name(trial, comparator),
            effect=effects[row],
            unadjusted=raw[row],
            patients=len(np.unique(subject[treatment == k])),
        )
        for row, k in enumerate(others)
    )


def _compare_pairs(
    nuisance: Nuisance,
    pairs: Sequence[tuple[int, int]],
    rng: np.random.Generator,
    included: Mask,
) -> tuple[list[Difference], list[Difference]]:
    """Adjusted and unadjusted differences of pairs of options, each simultaneous over the pairs."""
    trial, n = nuisance.trial, nuisance.trial.n_options
    scores, arms = nuisance.scores[included], np.eye(n)[trial.treatment[included]]
    columns = np.hstack([scores, arms * trial.outcome[included, None], arms])
    draws = bootstrap_means(columns, trial.subject[included], rng)
    adjusted, unadjusted = _option_means(columns.mean(axis=0)[None, :], n)
    adjusted_draws, unadjusted_draws = _option_means(draws, n)
    first, second = np.array(pairs).T

    def differences(means: _Means, mean_draws: _Means) -> list[Difference]:
        values = means[0, first] - means[0, second]
        return simultaneous_differences(values, mean_draws[:, first] - mean_draws[:, second])

    return differences(adjusted, adjusted_draws), differences(unadjusted, unadjusted_draws)


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
    error_factor: float = 1.0,
) -> Difference:
    """Gain of a rule over one option for all; of several runs, the mean of their gains.

    Args:
        nuisance: of the patients.
        chosen: the rule's options.
        reference: the option compared with.
        rng: of the resamples.
        population: the analysis population; by default every patient.
        error_factor: factor on the standard error, for the noise that the folds of a cross-fitted
            rule share (shared_noise.py); 1 for a rule learned from other data.
    """
    per_patient = gain_per_patient(nuisance.scores, chosen, reference)
    included = np.ones(len(per_patient), dtype=bool) if population is None else population
    subject = nuisance.trial.subject[included]
    draws = bootstrap_means(per_patient[included, None], subject, rng)[:, 0]
    return widened_difference(float(per_patient[included].mean()), draws, error_factor)


def gain_per_patient(
    scores: Matrix, chosen: ChosenOption, reference: ReferenceOption
) -> Float64[np.ndarray, " decision"]:
    """Each patient's score under the rule minus that under one option; 0 where both agree."""
    return option_scores(scores, chosen) - option_scores(scores, reference)


def option_scores(scores: Matrix, option: ReferenceOption) -> Float64[np.ndarray, " decision"]:
    """Each decision's score under an option; of several runs, the mean over the runs."""
    of_option = scores[np.arange(len(scores)), option]
    return of_option if of_option.ndim == 1 else of_option.mean(axis=0)
