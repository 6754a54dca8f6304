"""Overlap and balance: which options can be compared, in which patients, who is excluded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.causal.calendar import DATE
from posology.causal.propensity import Propensity
from posology.causal.trial import Column, Mask, Trial, option_name
from posology.evaluation.effects.judged_options import (
    MIN_PROPENSITY,
    effective_sizes,
    judge_options,
)

MAX_EXCLUDED_SHARE = 0.10
"""Share of excluded decisions above which the report warns; our choice."""


@dataclass(frozen=True, slots=True)
class OptionOverlap:
    """How many patients the estimates of an option rest on."""

    name: str
    patients: int
    """Patients who received it at one decision or more."""
    effective_sample_size: float
    """Of its patients in the analysis population; each patient's weights are added first."""
    extreme_share: float
    """Share of all decisions with a propensity outside [.05, .95]."""
    reason: str = ""
    """Why it cannot be judged (judged_options.py); empty if it is judged."""

    @property
    def is_judged(self) -> bool:
        """Whether the option is compared with others."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Counts:
    """Decisions, and the patients who have at least one of them."""

    decisions: int
    patients: int


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Which options can be compared, and in which patients."""

    options: tuple[OptionOverlap, ...]
    population: Mask
    """Decisions at which every judged option has a propensity of at least .05: the analysis
    population."""
    total: Counts
    included: Counts
    """Of the analysis population."""

    @property
    def judged(self) -> tuple[int, ...]:
        """Indices of the options that are compared."""
        return tuple(k for k, option in enumerate(self.options) if option.is_judged)

    @property
    def is_judged(self) -> Bool[np.ndarray, " treatment"]:
        """Of each option, whether it is compared."""
        return np.array([option.is_judged for option in self.options], dtype=bool)

    @property
    def excluded_share(self) -> float:
        """Share of decisions outside the population."""
        return 1 - self.included.decisions / self.total.decisions

    @property
    def excludes_many(self) -> bool:
        """Whether the report warns."""
        return self.excluded_share > MAX_EXCLUDED_SHARE


@dataclass(frozen=True, slots=True)
class Balance:
    """A covariate's standardised mean difference of two options, before and after weighting."""

    covariate: str
    option: str
    comparator: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class ExcludedComparison:
    """A covariate's mean in included and excluded patients, and their standardised difference."""

    covariate: str
    included: float
    excluded: float
    difference: float


def assess_overlap(
    trial: Trial,
    propensity: Propensity,
    allowed: Bool[np.ndarray, "decision treatment"] | None = None,
) -> Overlap:
    """Overlap of each option, and the population in which those that can be judged are compared.

    Args:
        trial: the decisions.
        propensity: of each option.
        allowed: the options that safety rules permit at each decision; by default all of them.
    """
    probability = propensity.probability
    found = judge_options(trial, probability, allowed)
    sizes = effective_sizes(trial, probability, found.population)
    is_extreme = (probability < MIN_PROPENSITY) | (probability > 1 - MIN_PROPENSITY)
    options = tuple(
        OptionOverlap(
            name=option_name(trial, k),
            patients=count_patients(trial, trial.treatment == k).patients,
            effective_sample_size=float(sizes[k]),
            extreme_share=float(is_extreme[:, k].mean()),
            reason=found.reasons[k],
        )
        for k in range(trial.n_options)
    )
    everyone = np.ones(len(trial), dtype=bool)
    return Overlap(
        options,
        found.population,
        total=count_patients(trial, everyone),
        included=count_patients(trial, found.population),
    )


def count_patients(trial: Trial, rows: Mask) -> Counts:
    """How many decisions these are, and of how many patients."""
    return Counts(int(rows.sum()), len(np.unique(trial.subject[rows])))


def assess_balance(
    trial: Trial, propensity: Propensity, covariates: Sequence[str], overlap: Overlap
) -> tuple[Balance, ...]:
    """Standardised mean differences between every two options, in the analysis population.

    Options that cannot be judged are left out, unless fewer than two would remain. The unit is the
    two options' unweighted standard deviation (Austin 2009, doi:10.1002/sim.3697).
    """
    included = overlap.population
    X, covariates = with_date(trial, covariates)
    X, treatment = X[included], trial.treatment[included]
    probability = propensity.probability[included]
    received = {k: (treatment == k).astype(np.float64) for k in np.unique(treatment).tolist()}
    judged = [k for k in received if overlap.options[k].is_judged]
    rows = []
    for first, second in combinations(judged if len(judged) > 1 else received, 2):
        masks = [received[first], received[second]]
        spread = _pooled_spread(X, *masks)
        before = (_mean(X, masks[0]) - _mean(X, masks[1])) / spread
        weighted = [received[k] / probability[:, k] for k in (first, second)]
        after = (_mean(X, weighted[0]) - _mean(X, weighted[1])) / spread
        rows += [
            Balance(name, option_name(trial, first), option_name(trial, second), float(b), float(a))
            for name, b, a in zip(covariates, before, after, strict=True)
        ]
    return tuple(rows)


def compare_excluded(
    trial: Trial, population: Mask, covariates: Sequence[str]
) -> tuple[ExcludedComparison, ...]:
    """Covariates of excluded against included patients, largest difference first.

    A patient of several decisions counts once on a side, with the mean of these.
    """
    if population.all() or not population.any():
        return ()
    X, covariates = with_date(trial, covariates)
    patient = np.unique(trial.subject, return_inverse=True)[1]
    included, excluded = (
        _mean(X, _by_patient(patient, side)) for side in (population, ~population)
    )
    everyone = np.ones(len(trial), dtype=bool)
    spread = np.sqrt(_variance(X, _by_patient(patient, everyone)))
    difference = (excluded - included) / np.where(spread > 1e-12, spread, 1.0)
    columns = (covariates, included.tolist(), excluded.tolist(), difference.tolist())
    rows = [ExcludedComparison(*row) for row in zip(*columns, strict=True)]
    return tuple(sorted(rows, key=lambda row: -abs(row.difference)))


def with_date(
    trial: Trial, covariates: Sequence[str]
) -> tuple[Float64[np.ndarray, "decision feature"], Sequence[str]]:
    """The covariates and their names, and the date where it varies."""
    if trial.calendar is None:
        return trial.covariates, covariates
    return np.hstack([trial.covariates, trial.calendar[:, :1]]), (*covariates, DATE)


def _by_patient(patient: Int64[np.ndarray, " decision"], rows: Mask) -> Column:
    """Weights of the decisions in which every patient of these rows counts once."""
    return rows / np.maximum(np.bincount(patient, rows)[patient], 1.0)


def _mean(
    X: np.ndarray,  # noqa: N803
    weight: Float64[np.ndarray, " decision"],
) -> Float64[np.ndarray, " feature"]:
    """Weighted mean of the known values; NaN if none is known."""
    known = weight[:, None] * ~np.isnan(X)
    total = known.sum(axis=0)
    return np.divide(
        (known * np.nan_to_num(X)).sum(axis=0),
        total,
        out=np.full(len(total), np.nan),
        where=total > 0,
    )


def _pooled_spread(
    X: np.ndarray,  # noqa: N803
    first: Float64[np.ndarray, " decision"],
    second: Float64[np.ndarray, " decision"],
) -> Float64[np.ndarray, " feature"]:
    """Root of the mean variance of two groups; of all rows where neither group varies."""
    pooled = np.sqrt((_variance(X, first) + _variance(X, second)) / 2)
    return np.where(pooled > 1e-12, pooled, _spread(X))


def _spread(X: np.ndarray) -> Float64[np.ndarray, " feature"]:  # noqa: N803
    spread = np.sqrt(_variance(X, np.ones(len(X))))
    return np.where(spread > 1e-12, spread, 1.0)


def _variance(
    X: np.ndarray,  # noqa: N803
    weight: Float64[np.ndarray, " decision"],
) -> Float64[np.ndarray, " feature"]:
    return _mean((X - _mean(X, weight)) ** 2, weight)
