"""Value iteration on counts, where a patient's state is one code.

Ours: the effect of each treatment in a state is shrunk towards the mean of the state's patients,
plus the treatment's mean effect over all states (a two-way random-effects model; James-Stein
shrinkage, see Efron and Morris 1975, JASA 70:311). Without shrinkage it is plain lower-confidence
value iteration (Jin, Yang and Wang 2021, ICML).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.trajectories import Trajectories, is_episode_end, next_state_codes, state_codes

EFFECT_SWEEPS = 80
"""Sweeps in which mean effects are updated; then they are fixed, so that the sweeps contract."""
VARIANCE_PRIOR_VISITS = 4.0
"""Visits with which a state's outcome variance is shrunk to the average one."""


@dataclass(frozen=True, slots=True, eq=False)
class TransitionCounts:
    """Number of moves from each (state, treatment) to each next state, and their rewards."""

    pair: Int64[np.ndarray, " move"]
    """state * treatments + treatment."""
    next_state: Int64[np.ndarray, " move"]
    """The number of states where the episode ended."""
    count: Float64[np.ndarray, " move"]
    reward_sum: Float64[np.ndarray, " move"]
    reward_square_sum: Float64[np.ndarray, " move"]
    visits: Float64[np.ndarray, "state treatment"]
    """Number of decisions."""


@dataclass(frozen=True, slots=True, eq=False)
class TabularPolicy:
    """Choice probabilities and action values by state."""

    probabilities: Float64[np.ndarray, "state treatment"]
    """Rows sum to 1."""
    values: Float64[np.ndarray, "state treatment"]
    """Predicted return of each treatment; minus infinity where the pair never occurs."""


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Prior of the treatment effects, support and pessimism."""

    prior_visits: float = 50.0
    """Weight of the prior mean of a (state, treatment) effect, in visits.

    50 corresponds to effects whose standard deviation is 0.14 of that of the outcomes; chosen on
    development seeds of the sepsis simulator, where 20 to 200 differ in survival by 0.003 (20,000
    episodes) to 0.007 (5,000).
    """
    effect_std: float = 0.03
    """Prior standard deviation of a treatment's mean effect over all states, in outcome SDs."""
    min_support: float = 0.04
    """Least share of a state's visits for a treatment to be used there (the support rule of
    Fujimoto, Meger and Precup 2019, ICML, on counts)."""
    pessimism: float = 0.1
    """Standard errors subtracted from each value; at 0.1 predicted values are close to the values
    obtained, and 0 to 0.3 learn equally good policies."""
    discount: float = 1.0


def count_transitions(trajectories: Trajectories) -> TransitionCounts:
    """Counts of trajectories whose observations are state codes.

    The last decision of a truncated episode leads to its final state, like any other.
    """
    treatments = trajectories.behaviour.shape[1]
    pair = state_codes(trajectories) * treatments + trajectories.treatment
    states = trajectories.state_count
    next_state = np.where(is_episode_end(trajectories), states, next_state_codes(trajectories))
    key, inverse = np.unique(pair * (states + 1) + next_state, return_inverse=True)
    visits = np.bincount(pair, minlength=states * treatments).astype(np.float64)
    return TransitionCounts(
        pair=key // (states + 1),
        next_state=key % (states + 1),
        count=np.bincount(inverse).astype(np.float64),
        reward_sum=np.bincount(inverse, trajectories.reward),
        reward_square_sum=np.bincount(inverse, trajectories.reward**2),
        visits=visits.reshape(states, treatments),
    )


def shrunk_value_iteration(
    counts: TransitionCounts,
    settings: Shrinkage,
    allowed: Bool[np.ndarray, "state treatment"] | None = None,
) -> TabularPolicy:
    """The greedy policy among supported treatments, by value iteration with shrunk effects.

    `allowed` is a safety mask; it also applies to the values of next states.
    """
    supported = _supported(counts, settings.min_support, allowed)
    states, treatments = counts.visits.shape
    visited = counts.visits.sum(axis=1) > 0
    values = np.append(np.full(states, mean_return(counts)), 0.0)
    mean_effect = np.zeros(treatments)
    for sweep in range(2_000):
        first, second = sum_targets(counts, values, settings.discount)
        if sweep < EFFECT_SWEEPS:
            effect, weight = _mean_effects(counts, first, second, mean_effect, settings)
            shrunk = effect * weight / (weight + 1 / settings.effect_std**2)
            mean_effect = (mean_effect + shrunk) / 2
        lower = _shrunk_values(counts, first, second, mean_effect, settings)
        q = np.where(supported, lower, -np.inf)
        best = np.where(visited, q.max(axis=1), values[:-1])
        best[~visited] = np.average(best, weights=counts.visits.sum(axis=1))
        change = np.abs(best - values[:-1]).max()
        values[:-1] = best
        if change < 1e-6 * (1 + np.abs(best).max()) and sweep >= EFFECT_SWEEPS:
            break
    return TabularPolicy(_greedy(q, counts, visited, allowed), q)


def _supported(
    counts: TransitionCounts,
    min_support: float,
    allowed: Bool[np.ndarray, "state treatment"] | None,
) -> Bool[np.ndarray, "state treatment"]:
    """Allowed and frequent enough; else the most frequent allowed one; else all allowed ones."""
    permitted = np.ones(counts.visits.shape, dtype=bool) if allowed is None else allowed
    visits = np.where(permitted, counts.visits, 0.0)
    least = np.minimum(min_support * counts.visits.sum(axis=1), visits.max(axis=1))
    supported = (visits > 0) & (visits >= least[:, None])
    return np.where(supported.any(axis=1, keepdims=True), supported, permitted)


def sum_targets(
    counts: TransitionCounts, values: Float64[np.ndarray, " state_plus_one"], discount: float
) -> tuple[Float64[np.ndarray, "state treatment"], Float64[np.ndarray, "state treatment"]]:
    """Sums over visits of (reward + discounted value of the next state), and of its square."""
    later = discount * values[counts.next_state]
    size = counts.visits.size
    first = np.bincount(counts.pair, counts.reward_sum + counts.count * later, size)
    square = counts.reward_square_sum + 2 * later * counts.reward_sum + counts.count * later**2
    second = np.bincount(counts.pair, square, size)
    return first.reshape(counts.visits.shape), second.reshape(counts.visits.shape)


def _outcome_std(counts: TransitionCounts, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Standard deviation of the outcomes within a state and treatment, per state."""
    visits = counts.visits
    within = np.maximum(second - first**2 / np.maximum(visits, 1), 0.0).sum(axis=1)
    freedom = np.maximum(visits - 1, 0.0).sum(axis=1)
    average = within.sum() / max(freedom.sum(), 1.0)
    return np.sqrt((within + VARIANCE_PRIOR_VISITS * average) / (freedom + VARIANCE_PRIOR_VISITS))


def _state_mean(
    counts: TransitionCounts, first: np.ndarray, spread: np.ndarray, mean_effect: np.ndarray
) -> np.ndarray:
    """Mean outcome of the patients in a state, adjusted for the treatments' mean effects."""
    explained = counts.visits * spread[:, None] * mean_effect
    return (first - explained).sum(axis=1) / np.maximum(counts.visits.sum(axis=1), 1.0)


def _mean_effects(
    counts: TransitionCounts,
    first: np.ndarray,
    second: np.ndarray,
    mean_effect: np.ndarray,
    settings: Shrinkage,
) -> tuple[Float64[np.ndarray, " treatment"], Float64[np.ndarray, " treatment"]]:
    """Each treatment's mean standardised effect over the states, and its precision."""
    visits = np.maximum(counts.visits, 1e-9)
    spread = _outcome_std(counts, first, second)
    centre = _state_mean(counts, first, spread, mean_effect)
    occurs = counts.visits > 0
    effect = np.where(occurs, (first / visits - centre[:, None]) / spread[:, None].clip(1e-9), 0.0)
    own = 1 / settings.prior_visits if settings.prior_visits > 0 else 1.0
    weight = np.where(occurs, 1 / (own + 1 / visits), 0.0)
    total = weight.sum(axis=0) + 1e-6
    return (weight * effect).sum(axis=0) / total, total


def _shrunk_values(
    counts: TransitionCounts,
    first: np.ndarray,
    second: np.ndarray,
    mean_effect: np.ndarray,
    settings: Shrinkage,
) -> Float64[np.ndarray, "state treatment"]:
    spread = _outcome_std(counts, first, second)
    expected = (
        _state_mean(counts, first, spread, mean_effect)[:, None] + spread[:, None] * mean_effect
    )
    weight = counts.visits + max(settings.prior_visits, 1e-9)
    error = spread[:, None] / np.sqrt(weight)
    return (first + (weight - counts.visits) * expected) / weight - settings.pessimism * error


def _greedy(
    q: np.ndarray,
    counts: TransitionCounts,
    visited: np.ndarray,
    allowed: Bool[np.ndarray, "state treatment"] | None,
) -> Float64[np.ndarray, "state treatment"]:
    """The best treatment of each visited state; the overall treatment shares in other states."""
    shares = np.tile(counts.visits.sum(axis=0) / counts.visits.sum(), (len(q), 1))
    if allowed is not None:
        shares = shares * allowed + 1e-12 * allowed
    shares = shares / shares.sum(axis=1, keepdims=True)
    return np.where(visited[:, None], np.eye(q.shape[1])[q.argmax(axis=1)], shares)


def mean_return(counts: TransitionCounts) -> float:
    """Mean total reward of an episode, with which value iteration starts."""
    episodes = max(counts.count[counts.next_state == len(counts.visits)].sum(), 1.0)
    return float(counts.reward_sum.sum() / episodes)
