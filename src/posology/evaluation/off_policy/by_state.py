"""The value of a policy over many decisions, weighted by state, with an interval or a refusal.

Weights of whole paths leave a policy that is sharp, or differs from usual care at many decisions,
without patients: of thousands, some twenty count. Weights of states (causal/trajectories/gain.py)
are shared by all who came to a state on whatever path.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.trajectories.bounds import MIN_EFFECTIVE
from posology.causal.trajectories.care import LoggedCare, Matrix
from posology.causal.trajectories.gain import (
    TrajectoryGain,
    effective_patients,
    errors_by_resampled,
    estimate_trajectory_gain,
)
from posology.evaluation.intervals import Interval
from posology.evaluation.off_policy.pareto import pareto_k
from posology.evaluation.off_policy.support import (
    Estimate,
    Refusal,
    ReportingRule,
    bootstrap_interval,
)

BY_STATE = "sdr"
"""Short name of the estimator, beside those of `estimators.ESTIMATORS`."""


@dataclass(frozen=True, slots=True, eq=False)
class StateEstimate:
    """The value of one policy and its gain over usual care, on the same patients."""

    result: Estimate | Refusal
    gain: Interval | None
    """None where the estimate is refused."""


def estimate_by_state(
    care: LoggedCare,
    policy: Matrix,
    rng: np.random.Generator,
    rule: ReportingRule | None = None,
) -> StateEstimate:
    """The value of a policy that was not learned from these patients.

    Args:
        care: the patients, with their states.
        policy: its probabilities at their decisions.
        rng: of folds and resamples.
        rule: level and resamples of the intervals.
    """
    return state_estimate(estimate_trajectory_gain(care, policy, rng), rng, rule)


def state_estimate(
    found: TrajectoryGain, rng: np.random.Generator, rule: ReportingRule | None = None
) -> StateEstimate:
    """What may be stated of an estimate: its intervals, or the reason for none."""
    rule, patients = rule or ReportingRule(), len(found.values)
    size = effective_patients(found)
    if size < MIN_EFFECTIVE:
        reason = (
            f"effective sample size {size:.1f} of {patients} patients is below {MIN_EFFECTIVE:g}: "
            "too few were in the states, and treated, as this policy would treat them"
        )
        return StateEstimate(Refusal(BY_STATE, reason, size, patients), None)
    value, gain = (
        _interval(each, errors_by_resampled(found, each), rng, rule)
        for each in (found.values, found.gain)
    )
    numbers = value.value, value.low, value.high, size, patients
    result = Estimate(BY_STATE, *numbers, found.values, pareto_k(found.weight))
    return StateEstimate(result, gain)


def _interval(
    values: Float64[np.ndarray, " subject"],
    factor: float,
    rng: np.random.Generator,
    rule: ReportingRule,
) -> Interval:
    """Of the mean, each limit `factor` times as far away as resampling makes it."""
    mean = float(values.mean())
    low, high = bootstrap_interval(values, rng, rule)
    return Interval(mean, mean + factor * (low - mean), mean + factor * (high - mean))
