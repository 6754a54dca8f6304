"""What a rule would bring, against every single option, usual care and the guideline.

Everything is a mean of doubly robust scores (causal/doubly_robust_scores.py) of patients from whom
the rule was not learned, and every interval resamples patients.
"""

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
)
from posology.evaluation.off_policy.support import effective_sample_size

ChosenOption = Int64[np.ndarray, " decision"]
ReferenceOption = int | Int64[np.ndarray, " decision"]
"""One option for all; where rules were learned on folds, the one chosen on each patient's others.
"""

USUAL_CARE = "usual care"


@dataclass(frozen=True, slots=True)
class RuleValue:
    """Mean outcome if everybody were treated by the rule, and what that gains."""

    rule: str
    value: Interval
    gain: Difference
    """Over the reference, on the same patients."""
    option_shares: tuple[float, ...]
    """How much of each option the rule gives."""
    effective_sample_size: float
    """Effective sample size: so many patients were, in effect, treated as the rule would."""


@dataclass(frozen=True, slots=True)
class AverageEffect:
    """The effect of an intervention as such: one option for all against another for all."""

    option: str
    comparator: str
    effect: Difference
    unadjusted: Difference
    """Between the means of those who were given either: unbiased where treatment was drawn by lot,
    nothing more than a description elsewhere."""
    patients: int


def one_hot_probabilities(chosen: ChosenOption, options: int) -> Matrix:
    """A rule that always gives one option."""
    return np.eye(options)[chosen]


def estimate_rule_values(
    nuisance: Nuisance,
    rules: Mapping[str, Matrix],
    reference: ReferenceOption,
    rng: np.random.Generator,
    population: Mask | None = None,
) -> tuple[RuleValue, ...]:
    """Each rule, each single option for all, and usual care.

    Args:
        rules: probabilities of the options at every decision.
        reference: the single option, chosen on other patients, that gains are counted from.
        keep: the stated population; everybody where not given.
    """
    trial, scores = nuisance.trial, nuisance.scores
    kept = np.ones(len(trial), dtype=bool) if population is None else population
    singles = {f"{option_name(trial, k)} for all": np.eye(trial.n_options)[[k] * len(trial)]
               for k in range(trial.n_options)}  # fmt: skip
    every = {**rules, **singles}
    earned = [(chances * scores).sum(axis=1)[kept] for chances in every.values()]
    earned.append(trial.outcome[kept])  # usual care is what was done: nothing is estimated
    shares = [chances[kept].mean(axis=0) for chances in every.values()]
    effective = [rule_effective_sample_size(nuisance, chances, kept) for chances in every.values()]
    effective.append(float(kept.sum()))
    shares.append(np.eye(trial.n_options)[trial.treatment][kept].mean(axis=0))
    earned.append(scores[np.arange(len(trial)), reference][kept])
    columns = np.column_stack(earned)
    values, draws = columns.mean(axis=0), bootstrap_means(columns, trial.subject[kept], rng)
    return tuple(
        RuleValue(
            rule,
            percentile_interval(float(values[i]), draws[:, i]),
            paired_difference(float(values[i] - values[-1]), draws[:, i], draws[:, -1]),
            tuple(float(s) for s in shares[i]),
            effective[i],
        )
        for i, rule in enumerate([*every, USUAL_CARE])
    )


def rule_effective_sample_size(
    nuisance: Nuisance, probabilities: Matrix, population: Mask
) -> float:
    """Effective sample size of the patients kept, weighted by how much likelier the rule gives
    what they were given than clinicians did."""
    trial, rows = nuisance.trial, np.arange(len(nuisance.trial))
    likelier = probabilities[rows, trial.treatment]
    weight = likelier / nuisance.propensity.probability[rows, trial.treatment]
    return effective_sample_size(weight[population])


def estimate_average_effects(
    nuisance: Nuisance, comparator: int, rng: np.random.Generator, population: Mask | None = None
) -> tuple[AverageEffect, ...]:
    """What each option brings on average, less what `against` brings."""
    trial = nuisance.trial
    kept = np.ones(len(trial), dtype=bool) if population is None else population
    scores, arms = nuisance.scores[kept], np.eye(trial.n_options)[trial.treatment[kept]]
    columns = np.hstack([scores, arms * trial.outcome[kept, None], arms])
    draws = bootstrap_means(columns, trial.subject[kept], rng)
    values = columns.mean(axis=0)[None, :]
    means, seen = ((_values(found, trial.n_options)) for found in (values, draws))
    given = np.bincount(trial.treatment[kept], minlength=trial.n_options)

    def less(part: int, k: int) -> Difference:
        """0: doubly robust, 1: as it stands."""
        value = float(means[part][0, k] - means[part][0, comparator])
        return paired_difference(value, seen[part][:, k], seen[part][:, comparator])

    return tuple(
        AverageEffect(
            option_name(trial, k),
            option_name(trial, comparator),
            less(0, k),
            less(1, k),
            int(given[k]),
        )
        for k in range(trial.n_options)
        if k != comparator
    )


def _values(
    columns: Float64[np.ndarray, "replicate column"], options: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the scores, and of the outcomes of those given each option; NaN where nobody was."""
    total, share = columns[:, options : 2 * options], columns[:, 2 * options :]
    seen = np.divide(total, share, out=np.full(total.shape, np.nan), where=share > 0)
    return columns[:, :options], seen


def estimate_gain(
    nuisance: Nuisance,
    chosen: ChosenOption,
    reference: ReferenceOption,
    rng: np.random.Generator,
    population: Mask | None = None,
) -> Difference:
    """What a rule gains over one option for all."""
    per_patient = gain_per_patient(nuisance.scores, chosen, reference)
    kept = np.ones(len(chosen), dtype=bool) if population is None else population
    draws = bootstrap_means(per_patient[kept, None], nuisance.trial.subject[kept], rng)[:, 0]
    return paired_difference(float(per_patient[kept].mean()), draws, np.zeros(len(draws)))


def gain_per_patient(
    scores: Matrix, chosen: ChosenOption, reference: ReferenceOption
) -> Float64[np.ndarray, " decision"]:
    """Each patient's score under the rule less that under one option; 0 where they agree."""
    rows = np.arange(len(chosen))
    return scores[rows, chosen] - scores[rows, reference]
