"""Overlap and balance: which options can be compared, in which patients, who is excluded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.propensity import Propensity
from posology.causal.trial import Trial, option_name
from posology.evaluation.off_policy.support import effective_sample_size

MIN_PROPENSITY = 0.05
"""Patients with a lower propensity of any option are excluded (Crump 2009,
doi:10.1093/biomet/asn055, advise 0.1; reviewers ask for the share outside .05 to .95)."""
MAX_EXCLUDED_SHARE = 0.10
"""Share of excluded patients above which the report warns; our choice."""
MIN_EFFECTIVE_SAMPLE_SIZE = 50.0
"""An option with a smaller effective sample size is not evaluated; our choice."""
MIN_INCLUDED_SHARE = 0.20
"""If a smaller share of patients is included, no option is evaluated; our choice."""


@dataclass(frozen=True, slots=True)
class OptionOverlap:
    """How many patients the estimates of an option rest on."""

    name: str
    patients: int
    """Patients who received it at one decision or more."""
    effective_sample_size: float
    """Of its patients in the analysis population; each patient's weights are added first."""
    extreme_share: float
    """Share of all patients with a propensity outside [.05, .95]."""
    lacks_overlap: bool


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Which options can be compared, and in which patients."""

    options: tuple[OptionOverlap, ...]
    population: Bool[np.ndarray, " decision"]
    """Patients for whom every option has a propensity of at least .05: the analysis population."""
    excluded_share: float
    """Share of patients outside the population."""
    excludes_many: bool

    @property
    def options_without_overlap(self) -> tuple[str, ...]:
        """Names of the options that cannot be evaluated."""
        return tuple(option.name for option in self.options if option.lacks_overlap)


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


def assess_overlap(trial: Trial, propensity: Propensity) -> Overlap:
    """Overlap of each option, and the population in which all options can be compared."""
    propensities = propensity.probability
    included = propensities.min(axis=1) >= MIN_PROPENSITY
    rows = []
    for k in range(trial.n_options):
        of_option = propensities[:, k]
        treated = trial.treatment == k
        counted = included & treated
        effective = effective_sample_size(1 / of_option[counted], trial.subject[counted])
        is_extreme = (of_option < MIN_PROPENSITY) | (of_option > 1 - MIN_PROPENSITY)
        too_few = effective < MIN_EFFECTIVE_SAMPLE_SIZE or included.mean() < MIN_INCLUDED_SHARE
        rows.append(
            OptionOverlap(
                name=option_name(trial, k),
                patients=len(np.unique(trial.subject[treated])),
                effective_sample_size=effective,
                extreme_share=float(is_extreme.mean()),
                lacks_overlap=bool(too_few),
            )
        )
    excluded = float(1 - included.mean())
    return Overlap(tuple(rows), included, excluded, excluded > MAX_EXCLUDED_SHARE)


def assess_balance(
    trial: Trial, propensity: Propensity, covariates: Sequence[str], overlap: Overlap
) -> tuple[Balance, ...]:
    """Standardised mean differences between every two options, in the analysis population.

    Options without overlap are left out, unless fewer than two would remain. The unit is the two
    options' unweighted standard deviation (Austin 2009, doi:10.1002/sim.3697).
    """
    included = overlap.population
    X, treatment = trial.covariates[included], trial.treatment[included]
    probability = propensity.probability[included]
    received = {k: (treatment == k).astype(np.float64) for k in np.unique(treatment).tolist()}
    judged = [k for k in received if not overlap.options[k].lacks_overlap]
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
    trial: Trial, population: Bool[np.ndarray, " decision"], covariates: Sequence[str]
) -> tuple[ExcludedComparison, ...]:
    """Covariates of excluded against included patients, largest difference first."""
    if population.all() or not population.any():
        return ()
    X = trial.covariates
    included, excluded = (_mean(X, mask.astype(np.float64)) for mask in (population, ~population))
    difference = (excluded - included) / _spread(X)
    columns = (covariates, included.tolist(), excluded.tolist(), difference.tolist())
    rows = [ExcludedComparison(*row) for row in zip(*columns, strict=True)]
    return tuple(sorted(rows, key=lambda row: -abs(row.difference)))


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
