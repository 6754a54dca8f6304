"""Learning where a patient's state is one code: counts, and value iteration that distrusts them.

`pooled` is ours: value iteration on the logged counts in which each treatment's effect in a state
is shrunk towards what patients in that state had on average, plus what the treatment does across
all states (a two-way random-effects model; James-Stein shrinkage, see Efron and Morris 1975, JASA
70:311). Without pooling it is plain lower-confidence value iteration (Jin, Yang and Wang 2021,
ICML). `spibb` keeps to the behaviour wherever counts are small (Laroche, Trichelair and Tachet des
Combes 2019, ICML, algorithm 1, Pi_b-SPIBB). `clone` imitates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.trajectories import Trajectories, is_episode_end, next_state_codes, state_codes

Settings = TypeVar("Settings")

TREATMENT_SWEEPS = 80
"""Common effects are updated for so many sweeps and then held, so that the sweeps contract."""
VARIANCE_PRIOR = 4.0
"""A state's spread of outcomes is pulled to the average one with the weight of 4 visits."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """How often each (state, treatment) led where, and what was earned on the way."""

    pair: Int64[np.ndarray, " kind"]
    """state * treatments + treatment."""
    following: Int64[np.ndarray, " kind"]
    """The next state; `states` where the episode ended."""
    count: Float64[np.ndarray, " kind"]
    reward: Float64[np.ndarray, " kind"]
    """Sum of the rewards."""
    squared: Float64[np.ndarray, " kind"]
    """Sum of the squared rewards."""
    visits: Float64[np.ndarray, "state treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class TabularPolicy:
    """Probabilities and values by state."""

    probabilities: Float64[np.ndarray, "state treatment"]
    """Rows sum to 1."""
    values: Float64[np.ndarray, "state treatment"]
    """What the learner believes each treatment earns from here on; minus infinity where it was
    never seen."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """How far counts are distrusted."""

    visits: float = 50.0
    """A treatment's own visits in a state weigh as much as so many of the average patient.

    50 corresponds to effects whose standard deviation is 0.14 of that of the outcomes; chosen on
    development seeds of the sepsis simulator, where 20 to 200 differ in survival by 0.003 (20,000
    episodes) to 0.007 (5,000).
    """
    common: float = 0.03
    """Prior standard deviation of a treatment's effect across all states, in the same unit."""
    rare: float = 0.04
    """Treatments given in a smaller share of a state's visits are left out there (the support
    rule of Fujimoto, Meger and Precup 2019, ICML, on counts)."""
    caution: float = 0.1
    """Standard errors taken off each value; 0.1 keeps what the learner promises near what it
    keeps, and 0 to 0.3 learn equally good policies."""
    discount: float = 1.0


def count(logged: Trajectories) -> Counts:
    """Sum up trajectories whose observations are state codes.

    A truncated episode's last step counts as any other: it is worth what its final state is.
    """
    treatments = logged.behaviour.shape[1]
    pair = state_codes(logged) * treatments + logged.treatment
    following = np.where(is_episode_end(logged), logged.state_count, next_state_codes(logged))
    key, inverse = np.unique(pair * (logged.state_count + 1) + following, return_inverse=True)
    visits = np.bincount(pair, minlength=logged.state_count * treatments).astype(np.float64)
    return Counts(
        pair=key // (logged.state_count + 1),
        following=key % (logged.state_count + 1),
        count=np.bincount(inverse).astype(np.float64),
        reward=np.bincount(inverse, logged.reward),
        squared=np.bincount(inverse, logged.reward**2),
        visits=visits.reshape(logged.state_count, treatments),
    )


def clone(counts: Counts, weight: float = 1.0) -> TabularPolicy:
    """Behaviour as counted; each state is pulled to all states' shares with `weight` visits."""
    everywhere = counts.visits.sum(axis=0) / counts.visits.sum()
    total = counts.visits.sum(axis=1, keepdims=True)
    probabilities = (counts.visits + weight * everywhere) / (total + weight)
    return TabularPolicy(probabilities, np.where(counts.visits > 0, 0.0, -np.inf))


def pooled(
    counts: Counts,
    settings: Pooling,
    allowed: Bool[np.ndarray, "state treatment"] | None = None,
) -> TabularPolicy:
    """Value iteration with shrunk effects, greedy among treatments usual in the state.

    `allowed` is a safety mask; it is kept inside the backup too.
    """
    supported = _supported(counts, settings.rare, allowed)
    states, treatments = counts.visits.shape
    visited = counts.visits.sum(axis=1) > 0
    values = np.append(np.full(states, _mean_reward_to_go(counts)), 0.0)
    common = np.zeros(treatments)
    for sweep in range(2_000):
        first, second = _targets(counts, values, settings.discount)
        if sweep < TREATMENT_SWEEPS:
            effect, weight = _common_effects(counts, first, second, common, settings)
            shrunk = effect * weight / (weight + 1 / settings.common**2)
            common = (common + shrunk) / 2
        q = np.where(supported, _shrunk(counts, first, second, common, settings), -np.inf)
        best = np.where(visited, q.max(axis=1), values[:-1])
        best[~visited] = np.average(best, weights=counts.visits.sum(axis=1))
        change = np.abs(best - values[:-1]).max()
        values[:-1] = best
        if change < 1e-6 * (1 + np.abs(best).max()) and sweep >= TREATMENT_SWEEPS:
            break
    return TabularPolicy(_greedy(q, counts, visited, allowed), q)


def spibb(
    counts: Counts,
    behaviour: Float64[np.ndarray, "state treatment"],
    minimum: float,
    discount: float = 1.0,
) -> TabularPolicy:
    """Improve on the behaviour only with pairs seen at least `minimum` times (Pi_b-SPIBB)."""
    trusted = counts.visits >= minimum
    kept = np.where(trusted, 0.0, behaviour)
    free = 1 - kept.sum(axis=1)
    states, treatments = counts.visits.shape
    values = np.append(np.full(states, _mean_reward_to_go(counts)), 0.0)
    average = np.maximum(counts.visits, 1)
    for _ in range(2_000):
        first, _second = _targets(counts, values, discount)
        state_mean = first.sum(axis=1) / np.maximum(counts.visits.sum(axis=1), 1)
        q = np.where(counts.visits > 0, first / average, state_mean[:, None])
        best = np.eye(treatments)[np.where(trusted, q, -np.inf).argmax(axis=1)]
        policy = kept + free[:, None] * np.where(trusted.any(axis=1, keepdims=True), best, 0.0)
        new = np.where(counts.visits.sum(axis=1) > 0, (policy * q).sum(axis=1), values[:-1])
        change = np.abs(new - values[:-1]).max()
        values[:-1] = new
        if change < 1e-6 * (1 + np.abs(new).max()):
            break
    policy = policy / policy.sum(axis=1, keepdims=True)
    return TabularPolicy(policy, np.where(counts.visits > 0, q, -np.inf))


def choose(
    candidates: Sequence[Settings],
    learn: Callable[[Settings, Trajectories], TabularPolicy],
    score: Callable[[TabularPolicy, Trajectories], float],
    train: Trajectories,
    validation: Trajectories,
) -> tuple[Settings, tuple[float, ...]]:
    """The candidate whose policy, learned from `train`, scores highest on `validation`.

    `score` is an off-policy estimate: it sees logged episodes only. The caller may then learn
    once more from both parts with the settings chosen.
    """
    scores = tuple(float(score(learn(settings, train), validation)) for settings in candidates)
    return candidates[int(np.argmax(scores))], scores


def _supported(
    counts: Counts, rare: float, allowed: Bool[np.ndarray, "state treatment"] | None
) -> Bool[np.ndarray, "state treatment"]:
    """Usual and allowed; else the most usual of the allowed; else all that is allowed."""
    permitted = np.ones(counts.visits.shape, dtype=bool) if allowed is None else allowed
    visits = np.where(permitted, counts.visits, 0.0)
    least = np.minimum(rare * counts.visits.sum(axis=1), visits.max(axis=1))
    supported = (visits > 0) & (visits >= least[:, None])
    return np.where(supported.any(axis=1, keepdims=True), supported, permitted)


def _targets(
    counts: Counts, values: Float64[np.ndarray, " state_plus_one"], discount: float
) -> tuple[Float64[np.ndarray, "state treatment"], Float64[np.ndarray, "state treatment"]]:
    """Sums over visits of (reward + discounted value of what followed), and of its square."""
    later = discount * values[counts.following]
    size = counts.visits.size
    first = np.bincount(counts.pair, counts.reward + counts.count * later, size)
    square = counts.squared + 2 * later * counts.reward + counts.count * later**2
    second = np.bincount(counts.pair, square, size)
    return first.reshape(counts.visits.shape), second.reshape(counts.visits.shape)


def _spread(counts: Counts, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Standard deviation of the outcomes within a state and treatment, per state."""
    visits = counts.visits
    within = np.maximum(second - first**2 / np.maximum(visits, 1), 0.0).sum(axis=1)
    freedom = np.maximum(visits - 1, 0.0).sum(axis=1)
    average = within.sum() / max(freedom.sum(), 1.0)
    return np.sqrt((within + VARIANCE_PRIOR * average) / (freedom + VARIANCE_PRIOR))


def _centre(
    counts: Counts, first: np.ndarray, spread: np.ndarray, common: np.ndarray
) -> np.ndarray:
    """What patients in a state had on average, the treatments' common effects taken out."""
    explained = counts.visits * spread[:, None] * common
    return (first - explained).sum(axis=1) / np.maximum(counts.visits.sum(axis=1), 1.0)


def _common_effects(
    counts: Counts,
    first: np.ndarray,
    second: np.ndarray,
    common: np.ndarray,
    settings: Pooling,
) -> tuple[Float64[np.ndarray, " treatment"], Float64[np.ndarray, " treatment"]]:
    """Each treatment's mean standardised effect over the states, and its precision."""
    visits = np.maximum(counts.visits, 1e-9)
    spread = _spread(counts, first, second)
    centre = _centre(counts, first, spread, common)
    seen = counts.visits > 0
    effect = np.where(seen, (first / visits - centre[:, None]) / spread[:, None].clip(1e-9), 0.0)
    own = 1 / settings.visits if settings.visits > 0 else 1.0
    weight = np.where(seen, 1 / (own + 1 / visits), 0.0)
    total = weight.sum(axis=0) + 1e-6
    return (weight * effect).sum(axis=0) / total, total


def _shrunk(
    counts: Counts,
    first: np.ndarray,
    second: np.ndarray,
    common: np.ndarray,
    settings: Pooling,
) -> Float64[np.ndarray, "state treatment"]:
    spread = _spread(counts, first, second)
    expected = _centre(counts, first, spread, common)[:, None] + spread[:, None] * common
    weight = counts.visits + max(settings.visits, 1e-9)
    error = spread[:, None] / np.sqrt(weight)
    return (first + (weight - counts.visits) * expected) / weight - settings.caution * error


def _greedy(
    q: np.ndarray,
    counts: Counts,
    visited: np.ndarray,
    allowed: Bool[np.ndarray, "state treatment"] | None,
) -> Float64[np.ndarray, "state treatment"]:
    """The best treatment of each visited state; behaviour's overall shares where none was seen."""
    shares = np.tile(counts.visits.sum(axis=0) / counts.visits.sum(), (len(q), 1))
    if allowed is not None:
        shares = shares * allowed + 1e-12 * allowed
    shares = shares / shares.sum(axis=1, keepdims=True)
    return np.where(visited[:, None], np.eye(q.shape[1])[q.argmax(axis=1)], shares)


def _mean_reward_to_go(counts: Counts) -> float:
    """Where values start: the mean total reward of an episode."""
    episodes = max(counts.count[counts.following == len(counts.visits)].sum(), 1.0)
    return float(counts.reward.sum() / episodes)
