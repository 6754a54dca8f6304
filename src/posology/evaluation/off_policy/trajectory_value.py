"""What following a policy would earn over whole courses of decisions, beside usual care."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.evaluation.off_policy.estimators import Logged, earned
from posology.evaluation.off_policy.support import (
    Estimate,
    Refusal,
    Stating,
    by_patient,
    estimate,
    mean_interval,
)
from posology.evaluation.significance import Interval

TOLD = ("dr", "wdr", "wis")
"""Estimators in the order told; benchmarks.off_policy checks how often their intervals hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """One way to follow the policy, by one estimator."""

    way: str
    said: Estimate | Refusal
    value: Interval | None
    """None where it is refused."""
    gain: Interval | None
    """Over usual care, on the same patients."""


@dataclass(frozen=True, slots=True, eq=False)
class CourseValue:
    """What is earned from a patient's first decision to the last, discounted as the study says."""

    patients: int
    left_out: int
    """Patients whose course was not followed to its end."""
    decisions: float
    """Of a patient, on average."""
    usual: Interval
    """What the patients did earn; nothing is estimated."""
    followed: tuple[Followed, ...]


def course_value(
    ways: Mapping[str, Logged], left_out: int, rng: np.random.Generator
) -> CourseValue:
    """Every way by every estimator; the ways differ in `target`, `q` and `v` alone."""
    one = next(iter(ways.values()))
    usual = by_patient(one, earned(one))
    return CourseValue(
        patients=len(usual),
        left_out=left_out,
        decisions=len(one.reward) / len(usual),
        usual=_interval(usual, rng),
        followed=tuple(f for way, logged in ways.items() for f in _all(way, logged, usual, rng)),
    )


def _all(
    way: str, logged: Logged, usual: Float64[np.ndarray, " subject"], rng: np.random.Generator
) -> Iterator[Followed]:
    for estimator in TOLD:
        said = estimate(logged, estimator, rng)
        if isinstance(said, Refusal):
            yield Followed(way, said, None, None)
        else:
            value = Interval(said.value, said.low, said.high)
            yield Followed(way, said, value, _interval(said.per_patient - usual, rng))


def _interval(values: Float64[np.ndarray, " subject"], rng: np.random.Generator) -> Interval:
    low, high = mean_interval(values, rng, Stating())
    return Interval(float(values.mean()), low, high)
