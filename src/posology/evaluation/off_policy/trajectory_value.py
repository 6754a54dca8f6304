"""The value of a policy over whole trajectories of decisions, next to usual care."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from posology.evaluation.intervals import Interval
from posology.evaluation.off_policy.by_state import StateEstimate
from posology.evaluation.off_policy.estimators import (
    OffPolicyData,
    logged_returns,
    weighted_values,
)
from posology.evaluation.off_policy.harm_budgets import BudgetFinding
from posology.evaluation.off_policy.support import (
    Estimate,
    Refusal,
    ReportingRule,
    bootstrap_interval,
    estimate_value,
    patient_pseudo_values,
)

TABLES = "odr"
"""Reported after that by state, where each state is one of many codes."""
REPORTED = ("dr", "wdr", "wis")
"""Estimators in the order reported, after those by state; benchmarks.off_policy measures their
intervals' coverage."""


@dataclass(frozen=True, slots=True, eq=False)
class PolicyEstimate:
    """The value of one policy by one estimator."""

    policy: str
    result: Estimate | Refusal
    value: Interval | None
    """None where the estimate is refused."""
    gain: Interval | None
    """Over usual care, on the same patients; None where the estimate is refused."""


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryValue:
    """Mean return over a fixed time from a patient's first decision, with the study's discount."""

    patients: int
    excluded: int
    """Patients who were not followed so long; the others are weighted for them."""
    decisions: float
    """Mean number per patient."""
    usual_care: Interval
    """Return as the patients were treated; nothing is estimated."""
    estimates: tuple[PolicyEstimate, ...]
    horizon: float = np.inf
    """Days from the first decision; infinity: until the trajectory ends."""
    budgets: tuple[BudgetFinding, ...] = ()
    """What the policy's first choice costs of each of the study's harm budgets."""


def estimate_trajectory_value(
    policies: Mapping[str, OffPolicyData],
    excluded: int,
    rng: np.random.Generator,
    horizon: float = np.inf,
    by_state: Mapping[str, StateEstimate] = MappingProxyType({}),
    budgets: tuple[BudgetFinding, ...] = (),
) -> TrajectoryValue:
    """Every policy by every estimator; the policies differ in `target`, `q` and `v` only.

    by_state: the estimate that weights states, of each policy; it is reported first.
    budgets: of the first policy.
    """
    first = next(iter(policies.values()))
    usual = patient_pseudo_values(first, weighted_values(first, logged_returns(first)))
    return TrajectoryValue(
        patients=len(usual),
        excluded=excluded,
        decisions=len(first.trajectories.reward) / len(usual),
        usual_care=_mean_interval(usual, rng),
        estimates=tuple(
            estimate
            for policy, data in policies.items()
            for estimate in (
                *_state_estimate(policy, by_state),
                *_estimates(policy, data, usual, () if data.occupancy is None else (TABLES,), rng),
                *_estimates(policy, data, usual, REPORTED, rng),
            )
        ),
        horizon=horizon,
        budgets=budgets,
    )


def _estimates(
    policy: str,
    data: OffPolicyData,
    usual: Float64[np.ndarray, " subject"],
    estimators: tuple[str, ...],
    rng: np.random.Generator,
) -> Iterator[PolicyEstimate]:
    for estimator in estimators:
        result = estimate_value(data, estimator, rng)
        if isinstance(result, Refusal):
            yield PolicyEstimate(policy, result, None, None)
        else:
            value = Interval(result.value, result.low, result.high)
            gain = _mean_interval(result.patient_values - usual, rng)
            yield PolicyEstimate(policy, result, value, gain)


def _state_estimate(policy: str, by_state: Mapping[str, StateEstimate]) -> Iterator[PolicyEstimate]:
    if policy in by_state:
        result, gain = by_state[policy].result, by_state[policy].gain
        value = None
        if not isinstance(result, Refusal):
            value = Interval(result.value, result.low, result.high)
        yield PolicyEstimate(policy, result, value, gain)


def _mean_interval(values: Float64[np.ndarray, " subject"], rng: np.random.Generator) -> Interval:
    low, high = bootstrap_interval(values, rng, ReportingRule())
    return Interval(float(values.mean()), low, high)
