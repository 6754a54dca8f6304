"""Off-policy estimators: the value of a target policy from trajectories of a behaviour policy.

Every estimator returns one number per episode whose mean is the estimate. Where the estimate is a
ratio (the weighted ones) the numbers are its linearised pseudo-values, so that their standard error
is the estimate's, and one bootstrap over patients serves all. Sources: Precup, Sutton and Singh
2000 (ICML; importance sampling, per decision, weighted), Thomas 2015 (thesis, section 3.10;
consistent weighted per decision), Jiang and Li 2016 (ICML, eq. 10; doubly robust), Thomas and
Brunskill 2016 (ICML, eq. 10; weighted doubly robust).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.trajectories import Trajectories, decision_numbers, episode_returns

PerDecision = Float64[np.ndarray, " decision"]
PerEpisode = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class OffPolicyData:
    """Logged trajectories, and what is known of the target policy at each of their decisions.

    Every episode has at least one decision; its `logged_probability` must be above 0.
    """

    trajectories: Trajectories
    target: PerDecision
    """Probability of the logged treatment under the target policy."""
    discount: float = 1.0
    q: PerDecision | None = None
    """Modelled return of the logged treatment, then of the target policy; None without a model.
    It must come from other patients (cross-fitting)."""
    v: PerDecision | None = None
    """Modelled return before the treatment is chosen: the target policy's mean of q."""
    occupancy: PerDecision | None = None
    """Ratio of the target policy's discounted occupancy of this state and treatment to the logged
    one, from other patients; meaningful only where the state is Markov (a state code)."""
    patient: Int64[np.ndarray, " subject"] | None = None
    """Patient of each episode, where a patient may have several (each review judged by itself);
    None where each patient has one episode."""
    weight: PerEpisode | None = None
    """Weight of each episode, of mean 1, for those like it that were not followed to the end; None
    where all were."""


def cumulative_ratios(data: OffPolicyData) -> PerDecision:
    """Product of target / behaviour probabilities from the first decision to each one.

    The episode's weight is a factor of the first.
    """
    ratio = data.target / data.trajectories.logged_probability
    ratio[data.trajectories.offsets[:-1]] *= follow_up_weights(data)
    product = np.empty_like(ratio)
    number = decision_numbers(data.trajectories)
    for step in range(int(number.max(initial=-1)) + 1):
        rows = np.flatnonzero(number == step)
        product[rows] = ratio[rows] * (product[rows - 1] if step else 1.0)
    return product


def follow_up_weights(data: OffPolicyData) -> PerEpisode:
    """Weight of each episode for those that were not followed to the end; 1 where all were."""
    return np.ones(len(data.trajectories)) if data.weight is None else data.weight


def weighted_values(data: OffPolicyData, values: PerEpisode) -> PerEpisode:
    """Pseudo-values of the weighted mean of the episodes' values."""
    weight = follow_up_weights(data)
    return values if data.weight is None else _around(weight * values, weight)


def _around(weighted: PerEpisode, weight: PerEpisode) -> PerEpisode:
    """Pseudo-values of sum(weighted) / sum(weight), for weights of mean 1."""
    return weighted + (1.0 - weight) * weighted.mean()


def episode_weights(data: OffPolicyData) -> PerEpisode:
    """Importance weight of each whole episode."""
    return cumulative_ratios(data)[data.trajectories.offsets[1:] - 1]


def logged_returns(data: OffPolicyData) -> PerEpisode:
    """Discounted return of each episode as it was treated."""
    return episode_returns(data.trajectories, data.discount)


def importance_sampling(data: OffPolicyData) -> PerEpisode:
    """Episode weight times return; unbiased, of very high variance on long episodes."""
    return episode_weights(data) * logged_returns(data)


def weighted_importance_sampling(data: OffPolicyData) -> PerEpisode:
    """Importance sampling divided by the mean weight: biased to the behaviour, less variable."""
    total, weight = logged_returns(data), episode_weights(data)
    mean = weight.mean()
    value = (weight * total).mean() / mean if mean > 0 else np.nan
    return value + weight * (total - value) / mean if mean > 0 else np.full(len(weight), np.nan)


def per_decision(data: OffPolicyData) -> PerEpisode:
    """Each reward weighted only by the decisions before it; unbiased."""
    reward = data.trajectories.reward
    return _episode_sums(data, cumulative_ratios(data) * reward * _discounts(data))


def consistent_weighted_per_decision(data: OffPolicyData) -> PerEpisode:
    """Each step's rewards divided by that step's mean weight; ended episodes keep their last."""
    return _self_normalised(data, cumulative_ratios(data), data.trajectories.reward)


def direct(data: OffPolicyData) -> PerEpisode:
    """The model's value at each episode's first decision (the direct method).

    Its spread between patients leaves out the error of the model itself.
    """
    _q, v = _model(data)
    return v[data.trajectories.offsets[:-1]]


def doubly_robust(data: OffPolicyData) -> PerEpisode:
    """The model corrected by weighted residuals: consistent if the weights or the model are."""
    weight, before = cumulative_ratios(data), _ratios_before(data)
    q, v = _model(data)
    parts = weight * (data.trajectories.reward - q) + before * v
    sums = _episode_sums(data, parts * _discounts(data))
    return sums if data.weight is None else _around(sums, data.weight)


def weighted_doubly_robust(data: OffPolicyData) -> PerEpisode:
    """Doubly robust with each step's weights divided by their mean."""
    q, v = _model(data)
    residual = _self_normalised(data, cumulative_ratios(data), data.trajectories.reward - q)
    return residual + _self_normalised(data, _ratios_before(data), v)


def occupancy_doubly_robust(data: OffPolicyData) -> PerEpisode:
    """The model corrected by residuals weighted with occupancy instead of whole-path ratios.

    Where the state is Markov its variance does not grow with the horizon, and its intervals include
    the model's error (Kallus and Uehara 2020, JMLR 21:167, section 4.2).
    """
    _q, v = _model(data)
    if data.occupancy is None:
        raise ValueError("the occupancy estimate needs the occupancy ratio at every decision")
    first = data.trajectories.offsets[:-1]
    sums = v[first] + _episode_sums(data, data.occupancy * td_errors(data))
    return weighted_values(data, sums)


def td_errors(data: OffPolicyData) -> PerDecision:
    """Temporal-difference errors of the model: reward + discount * v of the next decision - q.

    Their mean is 0 on patients the model was not learned from, where it fits and has converged.
    """
    q, v = _model(data)
    following = np.append(v[1:], 0.0)
    following[data.trajectories.offsets[1:] - 1] = 0.0
    return data.trajectories.reward + data.discount * following - q


def summed_td_error(data: OffPolicyData) -> float:
    """Mean discounted sum of an episode's TD errors, in standard deviations of logged returns."""
    total = _episode_sums(data, td_errors(data) * _discounts(data)).mean()
    return float(total / max(logged_returns(data).std(), 1e-9))


ESTIMATORS: dict[str, Callable[[OffPolicyData], PerEpisode]] = {
    "is": importance_sampling,
    "wis": weighted_importance_sampling,
    "pdis": per_decision,
    "cwpdis": consistent_weighted_per_decision,
    "direct": direct,
    "dr": doubly_robust,
    "wdr": weighted_doubly_robust,
    "odr": occupancy_doubly_robust,
}
"""Short names, as the benchmarks print them."""


def _model(data: OffPolicyData) -> tuple[PerDecision, PerDecision]:
    if data.q is None or data.v is None:
        raise ValueError("direct and doubly robust estimates need q and v at every decision")
    return data.q, data.v


def _discounts(data: OffPolicyData) -> PerDecision:
    return data.discount ** decision_numbers(data.trajectories).astype(np.float64)


def _episode_sums(data: OffPolicyData, parts: PerDecision) -> PerEpisode:
    return np.add.reduceat(parts, data.trajectories.offsets[:-1])


def _ratios_before(data: OffPolicyData) -> PerDecision:
    """The cumulative ratio before each decision: the episode's weight at the first one."""
    weight = cumulative_ratios(data)
    before = np.empty_like(weight)
    before[1:] = weight[:-1]
    before[data.trajectories.offsets[:-1]] = follow_up_weights(data)
    return before


def _self_normalised(data: OffPolicyData, weight: PerDecision, parts: PerDecision) -> PerEpisode:
    """Pseudo-values of sum over steps of discount^t * sum(weight * part) / sum(weight).

    An ended episode has parts of 0 and keeps its whole weight in the later steps' sums, as if it
    stayed in an absorbing state. The pseudo-value of episode i is the sum over steps of
    m_t + w_it (x_it - m_t) / mean(w_t), with m_t the step's ratio.
    """
    number, counts = decision_numbers(data.trajectories), np.diff(data.trajectories.offsets)
    steps, episodes = int(counts.max()), len(counts)
    last = episode_weights(data)
    ended = np.cumsum(np.bincount(counts, last, steps + 1))[:steps]
    mean = (np.bincount(number, weight, steps) + ended) / episodes
    if np.any(mean <= 0):
        return np.full(episodes, np.nan)  # the target policy gives no logged path a probability
    ratio = np.bincount(number, weight * parts, steps) / episodes / mean
    discount = data.discount ** np.arange(steps)
    own = discount[number] * weight * (parts - ratio[number]) / mean[number]
    later = np.append(np.cumsum((discount * ratio / mean)[::-1])[::-1], 0.0)
    return (discount * ratio).sum() + _episode_sums(data, own) - last * later[counts]
