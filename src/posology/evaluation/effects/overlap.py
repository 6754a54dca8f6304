"""Could each option be judged: who was ever given it, who is left out, what weighting balances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.propensity import Propensity
from posology.causal.trial import Trial, option_name
from posology.evaluation.off_policy.support import effective_sample_size

MIN_PROPENSITY = 0.05
"""A patient for whom an option was less probable than this cannot speak of it (Crump 2009,
doi:10.1093/biomet/asn055, advise 0.1; the share outside .05 to .95 is what reviewers ask)."""
MAX_EXCLUDED_SHARE = 0.10
"""Share of patients outside at which the report warns; our choice."""
MIN_EFFECTIVE_SAMPLE_SIZE = 50.0
"""Effective patients of an option below which nothing is said of it; our choice."""
MIN_INCLUDED_SHARE = 0.20
"""Share of patients inside below which nothing is said at all; our choice."""


@dataclass(frozen=True, slots=True)
class OptionOverlap:
    """How many patients speak for an option."""

    name: str
    patients: int
    effective_sample_size: float
    """Effective sample size of its weighted patients, among those kept."""
    extreme_share: float
    """Share of all patients with a propensity outside [.05, .95]."""
    lacks_overlap: bool


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Whether options can be compared, and on whom."""

    options: tuple[OptionOverlap, ...]
    population: Bool[np.ndarray, " decision"]
    """Patients for whom every option had a propensity of at least .05: the stated population."""
    excluded_share: float
    """Share left out of it."""
    excludes_many: bool

    @property
    def options_without_overlap(self) -> tuple[str, ...]:
        """Options of which nothing is said, for nobody alike was given them."""
        return tuple(option.name for option in self.options if option.lacks_overlap)


@dataclass(frozen=True, slots=True)
class Balance:
    """A covariate's standardised mean difference from all patients, before and after weighting."""

    covariate: str
    option: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class ExcludedComparison:
    """A covariate's mean among the kept and the left out, and their standardised difference."""

    covariate: str
    included: float
    excluded: float
    difference: float


def assess_overlap(trial: Trial, propensity: Propensity) -> Overlap:
    """Overlap of each option, and the population in which all of them can be compared."""
    chance = propensity.probability
    keep = chance.min(axis=1) >= MIN_PROPENSITY
    rows = []
    for k in range(trial.n_options):
        mine = keep & (trial.treatment == k)
        effective = effective_sample_size(1 / chance[mine, k])
        outside = float(
            ((chance[:, k] < MIN_PROPENSITY) | (chance[:, k] > 1 - MIN_PROPENSITY)).mean()
        )
        refused = effective < MIN_EFFECTIVE_SAMPLE_SIZE or keep.mean() < MIN_INCLUDED_SHARE
        given = int((trial.treatment == k).sum())
        rows.append(OptionOverlap(option_name(trial, k), given, effective, outside, bool(refused)))
    outside = float(1 - keep.mean())
    return Overlap(tuple(rows), keep, outside, outside > MAX_EXCLUDED_SHARE)


def assess_balance(
    trial: Trial, propensity: Propensity, covariates: Sequence[str]
) -> tuple[Balance, ...]:
    """Each option's patients against all patients; below 0.1 in size is usually called balanced
    (Austin 2009, doi:10.1002/sim.3697)."""
    X, everybody = trial.covariates, np.ones(len(trial))
    center, spread = _mean(X, everybody), _spread(X)
    rows = []
    for k in range(trial.n_options):
        mine = (trial.treatment == k).astype(np.float64)
        before = (_mean(X, mine) - center) / spread
        after = (_mean(X, mine / propensity.probability[:, k]) - center) / spread
        rows += [
            Balance(covariate, option_name(trial, k), float(b), float(a))
            for covariate, b, a in zip(covariates, before, after, strict=True)
        ]
    return tuple(rows)


def compare_excluded(
    trial: Trial, population: Bool[np.ndarray, " decision"], covariates: Sequence[str]
) -> tuple[ExcludedComparison, ...]:
    """Who the stated population leaves out, the largest difference first; empty if nobody."""
    if population.all() or not population.any():
        return ()
    X = trial.covariates
    kept, out = _mean(X, population.astype(np.float64)), _mean(X, (~population).astype(np.float64))
    away = (out - kept) / _spread(X)
    rows = [
        ExcludedComparison(*row)
        for row in zip(covariates, kept.tolist(), out.tolist(), away.tolist(), strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: -abs(row.difference)))


def _mean(
    X: np.ndarray,  # noqa: N803
    weight: Float64[np.ndarray, " decision"],
) -> Float64[np.ndarray, " feature"]:
    """Weighted means of what is known; NaN where nothing is."""
    known = weight[:, None] * ~np.isnan(X)
    total = known.sum(axis=0)
    return np.divide(
        (known * np.nan_to_num(X)).sum(axis=0), total, out=np.full(len(total), np.nan),
        where=total > 0,
    )  # fmt: skip


def _spread(X: np.ndarray) -> Float64[np.ndarray, " feature"]:  # noqa: N803
    spread = np.sqrt(_mean((X - _mean(X, np.ones(len(X)))) ** 2, np.ones(len(X))))
    return np.where(spread > 1e-12, spread, 1.0)
