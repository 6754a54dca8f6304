"""The gain of a policy over usual care across whole trajectories, doubly robust by state.

Per patient: the modelled value of the first state, plus the temporal-difference errors of the
model, each weighted by how much more often the policy than usual care comes to this state and gives
this option (double reinforcement learning: Kallus and Uehara 2020, JMLR 21:167, equation 4.1). As
the weight is of a state and not of the whole path, it does not grow with the number of decisions.
Both models are fitted on other patients (cross-fitting); the mean is right if either is.

The weight of a state is estimated step by step from the weights of the step before (Xie, Ma and
Wang 2019, NeurIPS 32, algorithm 1, with a regression for its counts). Action values are ridge
regressions, iterated as often as decisions follow one another (fitted Q evaluation).

Whether what was given before is part of a state, the patients decide. If it is, the weights of a
sharp policy are again those of paths and few patients count; if it is not, and it tells of what is
not seen, or the policy depends on it, the estimate is biased. Both are made, and the one is moved
towards the other as far as they differ by more than chance (`_lean`).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.trajectories.care import Column, LoggedCare, Matrix, next_rows
from posology.domain.trajectories import decision_numbers, episode_returns

FOLDS = 3
REPEATS = 2
"""Divisions into folds, whose results are averaged."""
VALUE_PENALTY, WEIGHT_PENALTY = 50.0, 50.0
"""Ridge penalties, in decisions, for columns of standard deviation 1. Our choice, on development
seeds (docs/decisions/trajectory-gain.md)."""
MAX_ITERATIONS = 200
MODEL_ALLOWANCE = 3.0
"""Errors are (1 + this / sqrt(effective sample size)) times those of resampled patients, for the
errors of the models of values and of weights. Our choice, likewise."""
LEANING = 0.4
"""Standard deviations of error for each unit by which an estimate moves without the learner's
predictions. Our choice, on development seeds (docs/decisions/off-policy-intervals.md)."""
PerPatient = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryGain:
    """What is estimated of each patient and of each decision."""

    values: PerPatient
    """Numbers whose mean is the policy's value."""
    usual: PerPatient
    """Returns as the patients were treated."""
    weight: Column
    """Weight of each decision in the estimate; averages 1 where the policy is usual care."""
    leaning: float = 0.0
    """By how much the value moves without the learner's predictions. By 0 if the weights were
    right: what it leans on a model that may be wrong, no resampling shows."""

    @property
    def gain(self) -> PerPatient:
        """Numbers whose mean is the gain over usual care."""
        return self.values - self.usual


def effective_patients(gain: TrajectoryGain) -> float:
    """Effective sample size (Kish 1965) of the decisions' weights, in patients."""
    square = float((gain.weight**2).sum())
    if square == 0:
        return 0.0
    return float(gain.weight.sum() ** 2 / square) * len(gain.values) / len(gain.weight)


def error_factor(size: float) -> float:
    """Factor on standard errors at an effective sample size."""
    return float(1 + MODEL_ALLOWANCE / np.sqrt(max(size, 1e-9)))


def errors_by_resampled(gain: TrajectoryGain, values: PerPatient) -> float:
    """Factor on the standard error of the mean of these numbers, for what is not resampled."""
    error = max(float(values.std()) / np.sqrt(len(values)), 1e-12)
    models = error_factor(effective_patients(gain))
    return float(np.hypot(models, LEANING * gain.leaning / error))


def estimate_trajectory_gain(
    care: LoggedCare, policy: Matrix, rng: np.random.Generator
) -> TrajectoryGain:
    """The value of a policy that was learned from other patients, and of usual care."""
    patients = len(care.trajectories)
    folds = [rng.permutation(patients) % FOLDS for _ in range(REPEATS)]
    found = _estimate(care, policy, folds)
    if care.path is None:
        return found
    return _lean(found, _estimate(replace(care, state=care.path), policy, folds))


def _estimate(
    care: LoggedCare, policy: Matrix, folds: list[Int64[np.ndarray, " subject"]]
) -> TrajectoryGain:
    """The estimate with the care's state, averaged over divisions into folds."""
    model, count = _Model.of(care, policy), care.counts()
    parts = [_cross_fit(model, fold, count) for fold in folds]
    values, weight = (np.mean(column, axis=0) for column in zip(*parts, strict=True))
    leaning = 0.0
    if care.believed is not None:
        alone = _Model.of(replace(care, believed=None), policy)
        unaided = [
            _weighted_values(alone, fold, count, own)
            for fold, (_, own) in zip(folds, parts, strict=True)
        ]
        leaning = abs(float(np.average(np.mean(unaided, axis=0) - values, weights=count)))
    usual = episode_returns(care.trajectories, care.discount)
    return TrajectoryGain(
        _pseudo_values(values, count),
        _pseudo_values(usual, count),
        weight * count[care.subject],
        leaning,
    )


def _lean(precise: TrajectoryGain, robust: TrajectoryGain) -> TrajectoryGain:
    """A precise estimate, moved towards a robust one by its squared bias over what it looks like.

    The squared difference exceeds that of chance by the squared bias. In the manner of James and
    Stein (Green and Strawderman 1991, JASA 86:1001), so that the mean squared error is near the
    better one's.
    """
    difference = robust.values - precise.values
    square = float(difference.mean() ** 2)
    factor = error_factor(effective_patients(robust))
    chance = factor**2 * float(difference.var() / len(difference))
    share = max(0.0, 1 - chance / square) if square > 0 else 0.0
    return TrajectoryGain(
        precise.values + share * difference,
        precise.usual,
        precise.weight + share * (robust.weight - precise.weight),
        precise.leaning + share * (robust.leaning - precise.leaning),
    )


def _pseudo_values(values: PerPatient, count: PerPatient) -> PerPatient:
    """Numbers whose mean is the weighted mean, linearised: their error is the weighted mean's."""
    mean = float((count * values).sum() / count.sum())
    return mean + count * (values - mean)


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """What both models are fitted on."""

    care: LoggedCare
    ratio: Column
    given: Float64[np.ndarray, "decision column"]
    """Columns of the action-value model for the option given, and their mean under the policy."""
    expected: Float64[np.ndarray, "decision column"]

    @classmethod
    def of(cls, care: LoggedCare, policy: Matrix) -> "_Model":
        given = care.option_columns(care.given(policy.shape[1]))
        return cls(care, care.ratio(policy), given, care.option_columns(policy))


def _cross_fit(
    model: _Model, fold: Int64[np.ndarray, " subject"], count: PerPatient
) -> tuple[PerPatient, Column]:
    """Values of the patients and weights of the decisions, each patient counted so often."""
    subject = model.care.subject
    weight = np.empty(len(subject))
    for number in range(FOLDS):
        out = (fold == number)[subject]
        weight[out] = _decision_weights(model, np.where(out, 0.0, count[subject]))[out]
    return _weighted_values(model, fold, count, weight), weight


def _weighted_values(
    model: _Model, fold: Int64[np.ndarray, " subject"], count: PerPatient, weight: Column
) -> PerPatient:
    """Values of the patients with these weights of their decisions."""
    logged, subject = model.care.trajectories, model.care.subject
    q, v = np.empty(len(subject)), np.empty(len(subject))
    for number in range(FOLDS):
        out = (fold == number)[subject]
        slopes = _fit_values(model, np.where(out, 0.0, count[subject]))
        q[out], v[out] = model.given[out] @ slopes, model.expected[out] @ slopes
    later = next_rows(v[:, None], logged)[:, 0]
    error = logged.reward + model.care.discount * later - q
    starts = logged.offsets[:-1]
    return v[starts] + np.add.reduceat(weight * error, starts)


def _fit_values(model: _Model, count: Column) -> Float64[np.ndarray, " column"]:
    """Slopes of the action values under the policy, by fitted Q evaluation."""
    logged, X = model.care.trajectories, model.given
    weighted = X.T * count
    penalty = np.full(X.shape[1], VALUE_PENALTY)
    penalty[0] = 1e-6  # the constant
    following = next_rows(model.expected, logged)
    sides = np.column_stack([weighted @ logged.reward, weighted @ following])
    solved = np.linalg.solve(weighted @ X + np.diag(penalty), sides)
    start, step = solved[:, 0], model.care.discount * solved[:, 1:]
    slopes = start
    for _ in range(min(int(np.diff(logged.offsets).max()), MAX_ITERATIONS)):
        slopes = start + step @ slopes
    return slopes


def _decision_weights(model: _Model, count: Column) -> Column:
    """How much more often the policy than usual care comes to a state and gives this option.

    Step by step, a state's weight is the mean, among counted patients alike, of the weights with
    which they left the step before: a ridge regression on the state's columns. The weights of a
    step are divided by their mean.
    """
    logged, state = model.care.trajectories, model.care.state
    of_state, left = np.ones(len(count)), np.ones(len(count))
    number = decision_numbers(logged)
    for step in range(int(number.max(initial=0)) + 1):
        rows = np.flatnonzero(number == step)
        if step:
            of_state[rows] = _smooth(state[rows], left[rows - 1], count[rows])
        arrived, leaving = of_state[rows], of_state[rows] * model.ratio[rows]
        total = float(count[rows] @ leaving)
        left[rows] = leaving * (float(count[rows] @ arrived) / total if total > 0 else 1.0)
    return left * model.care.discount**number


def _smooth(state: Float64[np.ndarray, "row feature"], y: Column, count: Column) -> Column:
    """Ridge regression of y on the counted rows; never below 0, and of the mean of y."""
    total = float(count.sum())
    if total <= 0:
        return np.ones(len(y))
    share = count / total
    mean, Z = float(share @ y), state[:, 1:] - share @ state[:, 1:]
    weighted = Z.T * count
    system = weighted @ Z + WEIGHT_PENALTY * np.eye(Z.shape[1])
    found = np.maximum(mean + Z @ np.linalg.solve(system, weighted @ (y - mean)), 0.0)
    return found * (mean / max(float(share @ found), 1e-12))
