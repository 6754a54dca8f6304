"""What a policy would have earned, from patients who were treated by another one.

Every estimator returns one number per patient whose mean is the estimate. Where the estimate is a
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

from posology.domain.history import ragged_arange

PerDecision = Float64[np.ndarray, " decision"]
PerSubject = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Logged decisions, in order of subject and time; every subject has at least one."""

    target: PerDecision
    """Probability of the treatment given, under the policy in question."""
    behaviour: PerDecision
    """Probability of the treatment given, under the policy that acted; above 0."""
    reward: PerDecision
    offsets: Int64[np.ndarray, " subject_plus_one"]
    discount: float = 1.0
    q: PerDecision | None = None
    """Modelled return of the treatment given, then following the policy in question; None where
    there is no model. It must come from other patients (cross-fitting)."""
    v: PerDecision | None = None
    """Modelled return before the treatment is chosen: the policy's mean of q."""
    occupancy: PerDecision | None = None
    """How many times more often the policy in question would meet this state and treatment;
    discounted, from other patients, and meaningful only where the state tells all (a code)."""
    patient: Int64[np.ndarray, " subject"] | None = None
    """Whose each episode is, where a patient may have several (each review judged by itself);
    None where each episode is a patient's only one."""


def ratios(logged: Logged) -> PerDecision:
    """Product of target / behaviour from the episode's first decision up to each one."""
    ratio = logged.target / logged.behaviour
    product = np.empty_like(ratio)
    age = _age(logged)
    for step in range(int(age.max(initial=-1)) + 1):
        rows = np.flatnonzero(age == step)
        product[rows] = ratio[rows] * (product[rows - 1] if step else 1.0)
    return product


def final_ratios(logged: Logged) -> PerSubject:
    """Each whole episode's importance weight."""
    return ratios(logged)[logged.offsets[1:] - 1]


def earned(logged: Logged) -> PerSubject:
    """What each episode did earn, as it was treated."""
    return _summed(logged, logged.reward * _discounts(logged))


def importance_sampling(logged: Logged) -> PerSubject:
    """Whole-episode weight times return; unbiased, of huge variance on long episodes."""
    return final_ratios(logged) * earned(logged)


def weighted_importance_sampling(logged: Logged) -> PerSubject:
    """The same, divided by the mean weight: biased towards what was done, far less variable."""
    total, weight = earned(logged), final_ratios(logged)
    mean = weight.mean()
    value = (weight * total).mean() / mean if mean > 0 else np.nan
    return value + weight * (total - value) / mean if mean > 0 else np.full(len(weight), np.nan)


def per_decision(logged: Logged) -> PerSubject:
    """Each reward weighted only by the decisions before it; unbiased."""
    return _summed(logged, ratios(logged) * logged.reward * _discounts(logged))


def consistent_weighted_per_decision(logged: Logged) -> PerSubject:
    """Each step's rewards divided by that step's mean weight; ended episodes keep their last."""
    return _self_normalised(logged, ratios(logged), logged.reward)


def direct(logged: Logged) -> PerSubject:
    """The model's value at each episode's first decision; as right as the model.

    Its spread between patients leaves out the error of the model itself.
    """
    _q, v = _model(logged)
    return v[logged.offsets[:-1]]


def doubly_robust(logged: Logged) -> PerSubject:
    """The model corrected by weighted residuals: right if the weights or the model are."""
    weight, before = ratios(logged), _before(logged)
    q, v = _model(logged)
    parts = weight * (logged.reward - q) + before * v
    return _summed(logged, parts * _discounts(logged))


def weighted_doubly_robust(logged: Logged) -> PerSubject:
    """Doubly robust with each step's weights divided by their mean."""
    q, v = _model(logged)
    residual = _self_normalised(logged, ratios(logged), logged.reward - q)
    return residual + _self_normalised(logged, _before(logged), v)


def occupancy_doubly_robust(logged: Logged) -> PerSubject:
    """The model corrected by residuals weighted with occupancy instead of whole-path ratios.

    Where the state tells all its variance does not grow with the horizon, and its intervals count
    the model's error (Kallus and Uehara 2020, JMLR 21:167, section 4.2).
    """
    _q, v = _model(logged)
    if logged.occupancy is None:
        raise ValueError("the occupancy estimate needs the occupancy ratio at every decision")
    return v[logged.offsets[:-1]] + _summed(logged, logged.occupancy * residuals(logged))


def residuals(logged: Logged) -> PerDecision:
    """Reward and modelled value of what followed, less the modelled value of the option given.

    0 on average, on patients the model was not learned from, where it fits and has converged.
    """
    q, v = _model(logged)
    then = np.append(v[1:], 0.0)
    then[logged.offsets[1:] - 1] = 0.0
    return logged.reward + logged.discount * then - q


def unconverged(logged: Logged) -> float:
    """What the model's residuals add up to along a course, in standard deviations of returns."""
    adds_up = _summed(logged, residuals(logged) * _discounts(logged)).mean()
    return float(adds_up / max(earned(logged).std(), 1e-9))


ESTIMATORS: dict[str, Callable[[Logged], PerSubject]] = {
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


def _model(logged: Logged) -> tuple[PerDecision, PerDecision]:
    if logged.q is None or logged.v is None:
        raise ValueError("direct and doubly robust estimates need q and v at every decision")
    return logged.q, logged.v


def _age(logged: Logged) -> Int64[np.ndarray, " decision"]:
    """How many decisions of the same episode came before."""
    counts = np.diff(logged.offsets)
    return ragged_arange(np.zeros(len(counts), np.int64), counts)


def _discounts(logged: Logged) -> PerDecision:
    return logged.discount ** _age(logged).astype(np.float64)


def _summed(logged: Logged, parts: PerDecision) -> PerSubject:
    return np.add.reduceat(parts, logged.offsets[:-1])


def _before(logged: Logged) -> PerDecision:
    """The weight before each decision: 1 at the first, then that of the one before."""
    weight = ratios(logged)
    before = np.empty_like(weight)
    before[1:] = weight[:-1]
    before[logged.offsets[:-1]] = 1.0
    return before


def _self_normalised(logged: Logged, weight: PerDecision, parts: PerDecision) -> PerSubject:
    """Pseudo-values of sum over steps of discount^t * sum(weight * part) / sum(weight).

    An ended episode has parts of 0 and keeps its whole weight in the later steps' sums, as if it
    stayed in an absorbing state. The pseudo-value of patient i is the sum over steps of
    m_t + w_it (x_it - m_t) / mean(w_t), with m_t the step's ratio.
    """
    age, counts = _age(logged), np.diff(logged.offsets)
    steps, subjects = int(counts.max()), len(counts)
    last = final_ratios(logged)
    ended = np.cumsum(np.bincount(counts, last, steps + 1))[:steps]
    mean = (np.bincount(age, weight, steps) + ended) / subjects
    if np.any(mean <= 0):
        return np.full(subjects, np.nan)  # no patient was treated as the policy would
    ratio = np.bincount(age, weight * parts, steps) / subjects / mean
    discount = logged.discount ** np.arange(steps)
    own = discount[age] * weight * (parts - ratio[age]) / mean[age]
    later = np.append(np.cumsum((discount * ratio / mean)[::-1])[::-1], 0.0)
    return (discount * ratio).sum() + _summed(logged, own) - last * later[counts]
