"""The direct method where the state is one code: the return of a policy from a table of counts.

Fitted Q evaluation (Le, Voloshin and Yue 2019, ICML): replace each value by the mean reward plus
the value of the next state, until it converges. `learners/offline_rl/fqe.py` does the same with a
network, for other observations.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64
from scipy.sparse import coo_array, csr_array

from posology.domain.trajectories import Trajectories, state_codes

Table = Float64[np.ndarray, "state treatment"]


def fit_table_q(
    trajectories: Trajectories, policy: Table, pooling: float = 1.0, discount: float = 1.0
) -> Table:
    """Action values of a policy that reads the state only.

    A treatment's mean in a state is shrunk to the state's mean with the weight of `pooling`
    visits; a state that never occurs has the value of the average decision.
    """
    states, treatments = policy.shape
    learned, following = _transitions(trajectories)
    state = state_codes(trajectories)
    pair = state[learned] * treatments + trajectories.treatment[learned]
    shape, pairs = (states, treatments), states * treatments
    visits = np.bincount(pair, minlength=pairs).reshape(shape)
    reward = np.bincount(pair, trajectories.reward[learned], pairs)
    successor = np.where(following >= 0, state[following], -1)[learned]
    moves = _count_moves(pair, successor, pairs, states)
    state_visits, value = visits.sum(axis=1), np.zeros(states)
    for _ in range(2_000):
        total = (reward + discount * (moves @ value)).reshape(shape)
        sums = total.sum(axis=1)
        mean = np.where(
            state_visits > 0, sums / np.maximum(state_visits, 1), sums.sum() / len(learned)
        )
        q = (total + pooling * mean[:, None]) / np.maximum(visits + pooling, 1e-12)
        new = (policy * q).sum(axis=1)
        change = np.abs(new - value).max()
        value = new
        if change < 1e-6 * (1 + np.abs(new).max()):
            break
    return q


def fit_table_occupancy(
    trajectories: Trajectories, policy: Table, pooling: float = 1.0, discount: float = 1.0
) -> Table:
    """Ratio of the policy's occupancy of each state and treatment to the logged occupancy.

    Discounted; from the same shrunk model as `fit_table_q`, whose errors it therefore weights.
    """
    states, treatments = policy.shape
    learned, following = _transitions(trajectories)
    state = state_codes(trajectories)
    origin, treatment = state[learned], trajectories.treatment[learned]
    visits = np.bincount(origin * treatments + treatment, minlength=states * treatments)
    visits = visits.reshape(states, treatments)
    state_visits = np.maximum(visits.sum(axis=1), 1)
    own = policy / np.maximum(visits + pooling, 1e-12)
    weight = own + (pooling * own.sum(axis=1) / state_visits)[:, None]
    successor = np.where(following >= 0, state[following], -1)[learned]
    share = discount * weight[origin, treatment]
    forward = _count_moves(origin, successor, states, states, share).T.tocsr()
    patients = len(trajectories)
    mass = np.bincount(state[trajectories.offsets[:-1]], minlength=states) / patients
    total = mass.copy()
    for _ in range(2_000):
        mass = forward @ mass
        total += mass
        if mass.sum() < 1e-6:
            break
    return total[:, None] * weight * patients


def assign_folds(
    offsets: Int64[np.ndarray, " subject_plus_one"], count: int, rng: np.random.Generator
) -> Int64[np.ndarray, " decision"]:
    """A fold per decision, the same for all of a patient's."""
    fold = rng.permutation(len(offsets) - 1) % count
    return np.repeat(fold, np.diff(offsets))


def cross_fit(
    fold: Int64[np.ndarray, " decision"],
    fit: Callable[[Bool[np.ndarray, " decision"]], Float64[np.ndarray, "decision treatment"]],
    policy: Float64[np.ndarray, "decision treatment"],
    treatment: Int32[np.ndarray, " decision"],
) -> tuple[Float64[np.ndarray, " decision"], Float64[np.ndarray, " decision"]]:
    """q of the logged treatment and v, each decision's modelled on the other folds only.

    `fit` takes the decisions to learn from and returns q for every decision and treatment.
    """
    q = np.empty(policy.shape)
    for number in np.unique(fold):
        held_out = fold == number
        q[held_out] = fit(~held_out)[held_out]
    return q[np.arange(len(q)), treatment], (policy * q).sum(axis=1)


def _transitions(
    trajectories: Trajectories,
) -> tuple[Int64[np.ndarray, " learned"], Int64[np.ndarray, " decision"]]:
    """Rows to learn from (all but truncated last ones), and each decision's next row (-1: none)."""
    following = np.arange(1, len(trajectories.treatment) + 1)
    last = trajectories.offsets[1:] - 1
    following[last] = -1
    usable = np.ones(len(following), dtype=bool)
    usable[last] = trajectories.terminal
    return np.flatnonzero(usable), following


def _count_moves(
    origin: Int64[np.ndarray, " learned"],
    successor: Int64[np.ndarray, " learned"],
    origins: int,
    states: int,
    weight: Float64[np.ndarray, " learned"] | None = None,
) -> csr_array:
    """(Weighted) number of moves from each origin to each state, without moves to the end (-1)."""
    moves = successor >= 0
    count = np.ones(len(origin)) if weight is None else weight
    cells = (count[moves], (origin[moves], successor[moves]))
    return coo_array(cells, shape=(origins, states)).tocsr()
