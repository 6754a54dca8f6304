"""When logged patients can speak for a policy: effective sample size, intervals, refusals."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm

from posology.evaluation.off_policy.estimators import ESTIMATORS, Logged, final_ratios, unconverged

DRAWS_AT_ONCE = 2_000_000
"""Bootstrap indices held in memory at a time (16 MB)."""
UNNORMALISED = ("is", "pdis", "cwpdis")
"""Estimators that lose reward where weights are lost: they set it against patients or steps, not
against the weights that earned it."""


@dataclass(frozen=True, slots=True)
class Stating:
    """When and how a value is stated."""

    minimum: float = 200.0
    """Least effective sample size at which a value is stated. Our choice, on development seeds of
    three simulators: between 100 and 200 the heaviest weights are yet to be met and intervals of
    wis, dr and wdr held the truth in 71 to 100 %, by simulator; above 200 in 91 to 100 %."""
    minimum_occupancy: float = 1_000.0
    """The same for odr, whose weights are a model's: what the model has wrong is no part of the
    interval, and grows with the weights. Our choice, on development seeds of the sepsis simulator:
    of 12 estimates below it 5 were off by 2.5 standard errors and more, of 48 above it 1."""
    moved: float = 1.0
    """Standard errors by which dividing by the mean weight may move UNNORMALISED estimates. Our
    choice, on development seeds of the sepsis simulator: over some nine decisions a few heavy
    courses that happen to be missing take weight along, and no resampling of the others shows it
    (at a mean weight of 0.96 a cloned policy's interval missed the truth by twice its width)."""
    unconverged: float = 0.1
    """Standard deviations of returns that a model's residuals may add up to along a course before
    `direct` is refused. Our choice, on development seeds of the warfarin simulator: 30 passes left
    one policy of 15 at -0.3 and its value off by 0.07; after 60 all were within 0.05."""
    level: float = 0.95
    draws: int = 1_000
    method: str = "studentised"
    """`studentised` (the symmetric one of Hall 1988, J R Stat Soc B 50:35, which holds best where
    few patients carry much weight) or `bca` (Efron 1987, JASA 82:171)."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A policy's value as logged patients show it."""

    estimator: str
    value: float
    low: float
    high: float
    effective: float
    """Effective sample size, of so many patients."""
    patients: int
    per_patient: Float64[np.ndarray, " subject"]
    """Values (or pseudo-values) whose mean is the estimate, for paired comparisons."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no value is stated."""

    estimator: str
    reason: str
    effective: float
    patients: int


def effective_sample_size(weights: Float64[np.ndarray, " weighted"]) -> float:
    """(sum w)^2 / sum w^2 (Kish 1965): how many equally weighted patients are as informative."""
    square = float((weights**2).sum())
    return float(weights.sum() ** 2 / square) if square > 0 else 0.0


def estimate(
    logged: Logged, estimator: str, rng: np.random.Generator, stating: Stating | None = None
) -> Estimate | Refusal:
    """The value by one of ESTIMATORS with its interval, or why it cannot be stated.

    The direct method's interval is NaN: its patients' spread leaves out the model's own error.
    """
    rule = stating or Stating()
    refused = refusal(logged, estimator, rule)
    if refused is not None:
        return refused
    values = by_patient(logged, ESTIMATORS[estimator](logged))
    modelled = estimator == "direct"
    low, high = (np.nan, np.nan) if modelled else mean_interval(values, rng, rule)
    effective = _effective(logged, estimator)
    return Estimate(estimator, float(values.mean()), low, high, effective, len(values), values)


def by_patient(
    logged: Logged, values: Float64[np.ndarray, " episode"]
) -> Float64[np.ndarray, " subject"]:
    """One number a patient with the same mean as the episodes' values.

    A mean over episodes is a ratio of patients' sums to their counts; these are its linearised
    pseudo-values (Cochran 1977, Sampling Techniques, section 6.3), so that what a patient's
    episodes have in common widens the interval.
    """
    if logged.patient is None:
        return values
    patients, row = np.unique(logged.patient, return_inverse=True)
    centre = float(values.mean())
    return centre + np.bincount(row, values - centre) * (len(patients) / len(values))


def refusal(logged: Logged, estimator: str, rule: Stating) -> Refusal | None:
    """Why the value is not to be stated, None where it may be.

    Weights average 1 in expectation; estimators that count on it are refused where they do not.
    """
    effective, patients = _effective(logged, estimator), _patients(logged)
    least = rule.minimum_occupancy if estimator == "odr" else rule.minimum
    if effective < least:
        reason = (
            f"effective sample size {effective:.1f} of {patients} patients is below "
            f"{least:g}: too few were treated as this policy would treat them"
        )
        return Refusal(estimator, reason, effective, patients)
    if estimator in UNNORMALISED and _moves(logged, estimator) > rule.moved:
        reason = (
            f"importance weights average {final_ratios(logged).mean():.2f} instead of 1, which "
            "moves the estimate by more than its standard error: the policy often does what hardly "
            "anybody did; the self-normalised or doubly robust estimators may still serve"
        )
        return Refusal(estimator, reason, effective, patients)
    if estimator == "direct" and abs(unconverged(logged)) > rule.unconverged:
        reason = (
            f"the model's errors add up to {unconverged(logged):+.2f} standard deviations of what "
            "patients earn: it does not fit, or has not converged; learn it for longer"
        )
        return Refusal(estimator, reason, effective, patients)
    return None


def _moves(logged: Logged, estimator: str) -> float:
    """Standard errors by which dividing by the mean weight would move the estimate."""
    values, mean = by_patient(logged, ESTIMATORS[estimator](logged)), final_ratios(logged).mean()
    error = max(float(values.std()) / np.sqrt(len(values)), 1e-12)
    return abs(float(values.mean() / max(mean, 1e-12) - values.mean())) / error


def _effective(logged: Logged, estimator: str) -> float:
    """In patients; for the occupancy estimate its decisions count as shares of a patient."""
    if estimator == "odr" and logged.occupancy is not None:
        share = _patients(logged) / len(logged.reward)
        return effective_sample_size(logged.occupancy) * share
    weight = final_ratios(logged)
    if logged.patient is None:
        return effective_sample_size(weight)
    _, row = np.unique(logged.patient, return_inverse=True)
    return effective_sample_size(np.bincount(row, weight))


def _patients(logged: Logged) -> int:
    return len(logged.offsets) - 1 if logged.patient is None else len(np.unique(logged.patient))


def mean_interval(
    values: Float64[np.ndarray, " subject"], rng: np.random.Generator, rule: Stating
) -> tuple[float, float]:
    """Bootstrap interval of the mean over patients."""
    low, high = mean_intervals(values[:, None], rng, rule)[0]
    return float(low), float(high)


def mean_intervals(
    values: Float64[np.ndarray, "subject estimate"], rng: np.random.Generator, rule: Stating
) -> Float64[np.ndarray, "estimate two"]:
    """The same of several estimates on the same patients, who are resampled once for all."""
    means, errors = _resampled(values, rng, rule.draws)
    return np.array(
        [
            _interval(column, means[:, number], errors[:, number], rule)
            for number, column in enumerate(values.T)
        ]
    )


def _interval(
    values: Float64[np.ndarray, " subject"],
    means: Float64[np.ndarray, " draw"],
    errors: Float64[np.ndarray, " draw"],
    rule: Stating,
) -> tuple[float, float]:
    n, centre = len(values), float(values.mean())
    error = float(values.std(ddof=1)) / np.sqrt(n)
    if not error > 1e-12 * max(1.0, abs(centre)):  # constant, or not a number
        return centre, centre
    tail = (1 - rule.level) / 2
    if rule.method == "studentised":
        pivots = np.abs(means - centre) / np.maximum(errors, 1e-12)
        half = float(np.quantile(pivots, rule.level)) * error
        return centre - half, centre + half
    share = np.clip((np.mean(means < centre) + np.mean(means <= centre)) / 2, 1e-6, 1 - 1e-6)
    bias = float(norm.ppf(share))
    deviation = values - centre
    skew = float((deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5))
    z = bias + norm.ppf([tail, 1 - tail])
    low, high = np.quantile(means, norm.cdf(bias + z / (1 - skew * z)))
    return float(low), float(high)


def _resampled(
    values: Float64[np.ndarray, "subject estimate"], rng: np.random.Generator, draws: int
) -> tuple[Float64[np.ndarray, "draw estimate"], Float64[np.ndarray, "draw estimate"]]:
    """Means and standard errors of resampled patients."""
    n = len(values)
    centre = values.mean(axis=0)
    both = np.hstack([values - centre, (values - centre) ** 2])
    sums, block = [], max(1, DRAWS_AT_ONCE // n)
    for first in range(0, draws, block):
        drawn = rng.integers(n, size=(min(block, draws - first), n))
        often = np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(np.float64)
        sums.append(often @ both / n)
    moved, square = np.split(np.concatenate(sums), 2, axis=1)
    return centre + moved, np.sqrt(np.maximum(square - moved**2, 0.0) / n)
