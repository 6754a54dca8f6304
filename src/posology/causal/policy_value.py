"""What a policy would earn, on patients it was not learned from who were treated by others.

One estimate for one decision and for many: the value of an option is a straight line in what the
learner believes of it, and in how much likelier the policy gives it than clinicians did (the
covariate of targeted learning: van der Laan and Rose 2011, chapter 4, which makes the estimate of
one decision doubly robust). The line is fitted on these patients by least squares of temporal
differences (Lagoudakis and Parr 2003, JMLR 4:1107, LSTD-Q); resampling them shows its error,
the model's own included. Beliefs that these patients do not bear out earn nothing.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

Matrix = Float64[np.ndarray, "decision treatment"]
Column = Float64[np.ndarray, " decision"]
Draws = Float64[np.ndarray, " replicate"]

FLOOR = 0.01
"""No propensity below it is believed (our choice): one patient speaks for at most a hundred."""
RIDGE = 1.0
"""Weight of the prior that beliefs bear nothing out, in patients (our choice)."""


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Decisions in order of subject and time; the patients are not those learned from."""

    subject: Int64[np.ndarray, " decision"]
    treatment: Int64[np.ndarray, " decision"]
    """-1 where none of the options."""
    rewards: Matrix
    """What each option earned until the next decision, or would have; NaN where not known."""
    weight: Column
    """How many patients each row stands for; 0 where follow-up was cut short."""
    more: Bool[np.ndarray, " decision"]
    """Whether the next row is the same patient's next decision."""
    unseen: Bool[np.ndarray, " decision"]
    """Whether the course went on where nobody saw it, so that what came of it is not known."""
    behaviour: Matrix
    """How often clinicians give each option to such a patient."""
    believed: Matrix
    """What the learner believes each option earns from here on."""
    discount: float
    """Of the next decision's value; 0 where each decision is judged by itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """An estimate, and the same from resampled patients."""

    value: float
    draws: Draws


def resamples(
    followed: Followed, replicates: int, rng: np.random.Generator
) -> Float64[np.ndarray, "replicate subject"]:
    """How often each subject is drawn in each replicate; the first row is everybody once."""
    subjects = len(np.unique(followed.subject))
    drawn = rng.multinomial(subjects, np.full(subjects, 1 / subjects), replicates)
    return np.vstack([np.ones(subjects), drawn]).astype(np.float64)


def worth(
    followed: Followed, policy: Matrix, drawn: Float64[np.ndarray, "replicate subject"]
) -> Worth:
    """Mean earned by a patient under the policy; by a decision where decisions stand alone."""
    if not np.isnan(followed.rewards).any() and followed.discount == 0:
        earned = (policy * followed.rewards).sum(axis=1)
        means = _means(followed, followed.weight, np.column_stack([earned]), drawn)[:, 0]
    else:
        means = _modelled(followed, policy, drawn)
    return Worth(float(means[0]), means[1:])


def gain(mine: Worth, other: Worth, deviations: float) -> float:
    """What a policy earns beyond another, less so many standard errors of that difference."""
    error = float(np.std(mine.draws - other.draws))
    return mine.value - other.value - deviations * error


def _modelled(followed: Followed, policy: Matrix, drawn: np.ndarray) -> Draws:
    given, expected = _features(followed, policy)
    row = np.arange(len(policy))
    reward = followed.rewards[row, np.maximum(followed.treatment, 0)]
    known = (followed.treatment >= 0) & ~np.isnan(reward) & ~followed.unseen
    weight = np.where(known, followed.weight, 0.0)
    later = np.where(followed.more[:, None], np.roll(expected, -1, axis=0), 0.0)
    change = given - followed.discount * later
    size = given.shape[1]
    left = (given[:, :, None] * change[:, None, :]).reshape(len(row), -1) * weight[:, None]
    right = given * (np.where(known, reward, 0.0) * weight)[:, None]
    starts = np.flatnonzero(np.append(True, np.diff(followed.subject) != 0))
    A = drawn @ np.add.reduceat(left, starts)
    b = drawn @ np.add.reduceat(right, starts)
    prior = RIDGE * np.diag([0.0] + [1.0] * (size - 1))
    slopes = np.linalg.solve(A.reshape(-1, size, size) + prior, b[..., None])[..., 0]
    first = np.zeros(len(row))
    first[starts] = 1.0
    asked = np.maximum(followed.weight, 1e-9) if followed.discount == 0 else first
    return (_means(followed, asked, expected, drawn) * slopes).sum(axis=1)


def _features(followed: Followed, policy: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Of the option given, and their mean under the policy."""
    behaviour = np.maximum(followed.behaviour, FLOOR)
    usual = (followed.behaviour * followed.believed).sum(axis=1)
    beyond = followed.believed - usual[:, None]
    center, spread = usual.mean(), usual.std() + 1e-9
    beyond = beyond / (np.sqrt((followed.behaviour * beyond**2).sum(axis=1).mean()) + 1e-9)
    likelier = policy / behaviour
    row, one = np.arange(len(policy)), np.ones(len(policy))
    column = np.maximum(followed.treatment, 0)
    level = (usual - center) / spread
    return (
        np.column_stack([one, level, beyond[row, column], likelier[row, column]]),
        np.column_stack(
            [one, level, (policy * beyond).sum(axis=1), (policy * likelier).sum(axis=1)]
        ),
    )


def _means(
    followed: Followed, weight: Column, columns: np.ndarray, drawn: np.ndarray
) -> Float64[np.ndarray, "replicate column"]:
    starts = np.flatnonzero(np.append(True, np.diff(followed.subject) != 0))
    total = drawn @ np.add.reduceat(columns * weight[:, None], starts)
    return total / (drawn @ np.add.reduceat(weight, starts))[:, None]
