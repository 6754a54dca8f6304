"""The direct method: the return of following a policy, modelled from logged decisions.

Fitted Q evaluation (Le, Voloshin and Yue 2019, ICML): regress reward plus the modelled value of
what followed, until nothing changes. One treatment has one regression of its own; a table where
the state is one code, any regression on features elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import coo_array, csr_array

Features = Float64[np.ndarray, "decision feature"]
Predict = Callable[[Features], Float64[np.ndarray, " decision"]]
Regress = Callable[[Features, Float64[np.ndarray, " decision"]], Predict]
"""Features and targets in, a function from features to predictions out."""


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Logged decisions, in order of subject and time."""

    treatment: Int64[np.ndarray, " decision"]
    reward: Float64[np.ndarray, " decision"]
    policy: Float64[np.ndarray, "decision treatment"]
    """The policy in question, at every decision."""
    offsets: Int64[np.ndarray, " subject_plus_one"]
    terminal: Bool[np.ndarray, " subject"]
    """False where the episode was cut off; its last decision is then not learned from."""
    discount: float = 1.0


def table_q(
    decisions: Decisions,
    state: Int64[np.ndarray, " decision"],
    policy: Float64[np.ndarray, "state treatment"],
    pooling: float = 1.0,
) -> Float64[np.ndarray, "state treatment"]:
    """Fitted Q as a table, for a policy that reads the state only.

    A treatment's mean in a state is shrunk to the state's mean with the weight of `pooling`
    visits; a state never seen is worth what the average decision is.
    """
    states, treatments = policy.shape
    learned, following = _learned(decisions)
    pair = state[learned] * treatments + decisions.treatment[learned]
    shape, pairs = (states, treatments), states * treatments
    visits = np.bincount(pair, minlength=pairs).reshape(shape)
    earned = np.bincount(pair, decisions.reward[learned], pairs)
    then = _moves(pair, np.where(following >= 0, state[following], -1)[learned], pairs, states)
    by_state, worth = visits.sum(axis=1), np.zeros(states)
    for _ in range(2_000):
        total = (earned + decisions.discount * (then @ worth)).reshape(shape)
        sums = total.sum(axis=1)
        mean = np.where(by_state > 0, sums / np.maximum(by_state, 1), sums.sum() / len(learned))
        q = (total + pooling * mean[:, None]) / np.maximum(visits + pooling, 1e-12)
        new = (policy * q).sum(axis=1)
        change = np.abs(new - worth).max()
        worth = new
        if change < 1e-6 * (1 + np.abs(new).max()):
            break
    return q


def table_occupancy(
    decisions: Decisions,
    state: Int64[np.ndarray, " decision"],
    policy: Float64[np.ndarray, "state treatment"],
    pooling: float = 1.0,
) -> Float64[np.ndarray, "state treatment"]:
    """How many times more often than logged the policy would meet each state and treatment.

    Discounted; from the same shrunk model as `table_q`, whose errors it therefore weighs.
    """
    states, treatments = policy.shape
    learned, following = _learned(decisions)
    origin, given = state[learned], decisions.treatment[learned]
    visits = np.bincount(origin * treatments + given, minlength=states * treatments)
    visits = visits.reshape(states, treatments)
    by_state = np.maximum(visits.sum(axis=1), 1)
    own = policy / np.maximum(visits + pooling, 1e-12)
    weight = own + (pooling * own.sum(axis=1) / by_state)[:, None]
    successor = np.where(following >= 0, state[following], -1)[learned]
    share = decisions.discount * weight[origin, given]
    onward = _moves(origin, successor, states, states, share).T.tocsr()
    patients = len(decisions.offsets) - 1
    mass = np.bincount(state[decisions.offsets[:-1]], minlength=states) / patients
    total = mass.copy()
    for _ in range(2_000):
        mass = onward @ mass
        total += mass
        if mass.sum() < 1e-6:
            break
    return total[:, None] * weight * patients


def _moves(
    origin: Int64[np.ndarray, " learned"],
    successor: Int64[np.ndarray, " learned"],
    origins: int,
    states: int,
    weight: Float64[np.ndarray, " learned"] | None = None,
) -> csr_array:
    """How often each origin led to each state; -1, the end, is left out."""
    goes = successor >= 0
    often = np.ones(len(origin)) if weight is None else weight
    cells = (often[goes], (origin[goes], successor[goes]))
    return coo_array(cells, shape=(origins, states)).tocsr()


def fitted_q(
    decisions: Decisions, features: Features, regress: Regress, sweeps: int
) -> Callable[[Features], Float64[np.ndarray, "decision treatment"]]:
    """Fitted Q by regressions on features, one a treatment; returns a function of features.

    `sweeps` should be at least the longest episode; a treatment never given predicts the mean
    return of the others.
    """
    learned, following = _learned(decisions)
    after, given = following[learned], decisions.treatment[learned]
    treatments = decisions.policy.shape[1]
    worth = np.zeros(len(learned))
    successor = np.maximum(after, 0)
    for _ in range(sweeps):
        target = decisions.reward[learned] + decisions.discount * worth
        models = [
            regress(features[learned][given == option], target[given == option])
            if np.any(given == option)
            else None
            for option in range(treatments)
        ]
        predict = _joint(models, float(target.mean()))
        modelled = (decisions.policy[successor] * predict(features[successor])).sum(axis=1)
        worth = np.where(after >= 0, modelled, 0.0)
    return predict


def ridge(penalty: float) -> Regress:
    """Least squares on standardised features, shrunk with the weight of `penalty` patients."""

    def regress(features: Features, target: Float64[np.ndarray, " decision"]) -> Predict:
        centre, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
        scaled, level = (features - centre) / spread, target.mean()
        gram = scaled.T @ scaled + penalty * np.eye(features.shape[1])
        slope = np.linalg.solve(gram, scaled.T @ (target - level))
        return lambda new: level + (new - centre) / spread @ slope

    return regress


def folds(
    offsets: Int64[np.ndarray, " subject_plus_one"], count: int, rng: np.random.Generator
) -> Int64[np.ndarray, " decision"]:
    """A fold for every decision, the same for all of a patient's."""
    fold = rng.permutation(len(offsets) - 1) % count
    return np.repeat(fold, np.diff(offsets))


def cross_fitted(
    fold: Int64[np.ndarray, " decision"],
    fit: Callable[[Bool[np.ndarray, " decision"]], Float64[np.ndarray, "decision treatment"]],
    policy: Float64[np.ndarray, "decision treatment"],
    treatment: Int64[np.ndarray, " decision"],
) -> tuple[Float64[np.ndarray, " decision"], Float64[np.ndarray, " decision"]]:
    """q of the treatment given and v, each decision's modelled on the other folds only.

    `fit` takes the decisions to learn from and returns q for every decision and treatment.
    """
    q = np.empty(policy.shape)
    for number in np.unique(fold):
        held = fold == number
        q[held] = fit(~held)[held]
    return q[np.arange(len(q)), treatment], (policy * q).sum(axis=1)


def part(decisions: Decisions, keep: Bool[np.ndarray, " decision"]) -> Decisions:
    """The decisions of whole patients."""
    subjects = keep[decisions.offsets[:-1]]
    counts = np.diff(decisions.offsets)[subjects]
    return Decisions(
        treatment=decisions.treatment[keep],
        reward=decisions.reward[keep],
        policy=decisions.policy[keep],
        offsets=np.append(0, np.cumsum(counts)).astype(np.int64),
        terminal=decisions.terminal[subjects],
        discount=decisions.discount,
    )


def _learned(
    decisions: Decisions,
) -> tuple[Int64[np.ndarray, " learned"], Int64[np.ndarray, " decision"]]:
    """Rows to learn from, and the row that follows each decision (-1 where the episode ended)."""
    following = np.arange(1, len(decisions.treatment) + 1)
    last = decisions.offsets[1:] - 1
    following[last] = -1
    keep = np.ones(len(following), dtype=bool)
    keep[last] = decisions.terminal
    return np.flatnonzero(keep), following


def _joint(
    models: list[Predict | None], mean: float
) -> Callable[[Features], Float64[np.ndarray, "decision treatment"]]:
    def predict(features: Features) -> Float64[np.ndarray, "decision treatment"]:
        columns = [
            np.full(len(features), mean) if model is None else model(features) for model in models
        ]
        return np.stack(columns, axis=1)

    return predict
