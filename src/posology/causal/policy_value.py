"""The value of a policy on held-out patients whom clinicians treated.

One estimate for a single decision and for many: the value of an option is a linear function of the
learner's predicted value and of the ratio of the policy's probability to the clinicians' (the
clever covariate of targeted learning: van der Laan and Rose 2011, chapter 4, which makes the
estimate of a single decision doubly robust). The slopes are fitted on these patients by
least-squares temporal differences (Lagoudakis and Parr 2003, JMLR 4:1107, LSTD-Q); resampling the
patients gives the standard error, the model's own error included. Predictions that these patients
do not support get a slope near 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.domain.trajectories import Trajectories, has_later_decision, is_episode_end

Matrix = Float64[np.ndarray, "decision treatment"]
Column = Float64[np.ndarray, " decision"]
Replicates = Float64[np.ndarray, " replicate"]

MIN_PROPENSITY = 0.01
"""Lower limit of propensities (our choice): a patient has at most a hundredfold weight."""
PRIOR_WEIGHT = 1.0
"""Weight of the prior that the slopes are 0, in patients (our choice)."""


@dataclass(frozen=True, slots=True, eq=False)
class PolicyValueData:
    """Trajectories of held-out patients, with what the learner predicts for them."""

    trajectories: Trajectories
    """`behaviour` is the clinicians' propensity of each option; treatment -1: none of the options;
    not `terminal`: the outcome of the last decision is unknown, because care went on unobserved."""
    rewards: Matrix
    """Reward of each option until the next decision; NaN where unknown."""
    weight: Column
    """Follow-up weight of each decision; 0 where follow-up was incomplete."""
    predicted: Matrix
    """The learner's predicted return of each option."""
    discount: float
    """Of the next decision's value; 0 where each decision is evaluated by itself."""
    as_given: Column | None = None
    """Predicted return of the option given at the dose that was given, where `predicted` is that of
    the best dose; None: the same."""


@dataclass(frozen=True, slots=True, eq=False)
class PolicyValue:
    """An estimate, and the same from resampled patients."""

    value: float
    replicates: Replicates


def resample_patients(
    data: PolicyValueData, replicates: int, rng: np.random.Generator
) -> Float64[np.ndarray, "replicate subject"]:
    """Count of each patient in each bootstrap replicate; the first row holds every patient once."""
    subjects = len(data.trajectories)
    drawn = rng.multinomial(subjects, np.full(subjects, 1 / subjects), replicates)
    return np.vstack([np.ones(subjects), drawn]).astype(np.float64)


def estimate_policy_value(
    data: PolicyValueData, policy: Matrix, counts: Float64[np.ndarray, "replicate subject"]
) -> PolicyValue:
    """Mean return per patient under the policy; per decision where `discount` is 0."""
    if not np.isnan(data.rewards).any() and data.discount == 0:
        reward = (policy * data.rewards).sum(axis=1)
        means = _weighted_means(data, data.weight, np.column_stack([reward]), counts)[:, 0]
    else:
        means = _modelled_values(data, policy, counts)
    return PolicyValue(float(means[0]), means[1:])


def conservative_gain(value: PolicyValue, reference: PolicyValue, deviations: float) -> float:
    """Gain over the reference, less this many standard errors of the difference."""
    error = float(np.std(value.replicates - reference.replicates))
    return value.value - reference.value - deviations * error


def _modelled_values(data: PolicyValueData, policy: Matrix, counts: np.ndarray) -> Replicates:
    logged, treatment = data.trajectories, data.trajectories.treatment
    features, expected = _features(data, policy)
    row = np.arange(len(policy))
    reward = data.rewards[row, np.maximum(treatment, 0)]
    has_later = has_later_decision(logged)
    known = (treatment >= 0) & ~np.isnan(reward) & (has_later | is_episode_end(logged))
    weight = np.where(known, data.weight, 0.0)
    later = np.where(has_later[:, None], np.roll(expected, -1, axis=0), 0.0)
    change = features - data.discount * later
    size = features.shape[1]
    left = (features[:, :, None] * change[:, None, :]).reshape(len(row), -1) * weight[:, None]
    right = features * (np.where(known, reward, 0.0) * weight)[:, None]
    starts = logged.offsets[:-1]
    A = counts @ np.add.reduceat(left, starts)
    b = counts @ np.add.reduceat(right, starts)
    prior = PRIOR_WEIGHT * np.diag([0.0] + [1.0] * (size - 1))
    slopes = np.linalg.solve(A.reshape(-1, size, size) + prior, b[..., None])[..., 0]
    first = np.zeros(len(row))
    first[starts] = 1.0
    averaged = np.maximum(data.weight, 1e-9) if data.discount == 0 else first
    return (_weighted_means(data, averaged, expected, counts) * slopes).sum(axis=1)


def _features(data: PolicyValueData, policy: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Features of the logged treatment, and their mean under the policy."""
    behaviour = data.trajectories.behaviour
    usual = (behaviour * data.predicted).sum(axis=1)
    advantage = data.predicted - usual[:, None]
    center, spread = usual.mean(), usual.std() + 1e-9
    unit = np.sqrt((behaviour * advantage**2).sum(axis=1).mean()) + 1e-9
    advantage = advantage / unit
    ratio = policy / np.maximum(behaviour, MIN_PROPENSITY)
    row, one = np.arange(len(policy)), np.ones(len(policy))
    column = np.maximum(data.trajectories.treatment, 0)
    level = (usual - center) / spread
    given = advantage[row, column] if data.as_given is None else (data.as_given - usual) / unit
    return (
        np.column_stack([one, level, given, ratio[row, column]]),
        np.column_stack(
            [one, level, (policy * advantage).sum(axis=1), (policy * ratio).sum(axis=1)]
        ),
    )


def _weighted_means(
    data: PolicyValueData, weight: Column, columns: np.ndarray, counts: np.ndarray
) -> Float64[np.ndarray, "replicate column"]:
    starts = data.trajectories.offsets[:-1]
    total = counts @ np.add.reduceat(columns * weight[:, None], starts)
    return total / (counts @ np.add.reduceat(weight, starts))[:, None]
