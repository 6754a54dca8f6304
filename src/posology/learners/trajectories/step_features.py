"""What a step's change of the outcome is explained by: the outcome before it, and treatments.

The change is measured on one of three scales; each treatment has a level that is carried over from
step to step, and decays.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64

from posology.domain.outcome_trajectories import OutcomeTrajectories

Scale = Literal["difference", "relative", "log"]
SMALLEST = 1e-9
"""Share of the root mean square outcome below which a relative change means nothing."""


@dataclass(frozen=True, slots=True)
class StepSpec:
    """How a step is described."""

    scale: Scale
    """The change: of the outcome itself, relative to it, or of its logarithm."""
    carry_over: tuple[float, ...]
    """Share of each component's level that is left a step later; 0: it acts in its own step."""
    has_interactions: bool
    """Whether products of two components' levels are features."""
    center: float
    """Mean of the outcome (of its logarithm, unless the scale is `difference`)."""
    spread: float
    """Its standard deviation."""
    floor: float
    """Outcomes below it have no relative change; the smallest number for `difference`."""

    @property
    def feature_count(self) -> int:
        """Features of one step: 1, the outcome before, levels and their products."""
        levels = len(self.carry_over)
        return 2 + levels + (levels * (levels - 1) // 2 if self.has_interactions else 0)


def describe_outcome(
    trajectories: OutcomeTrajectories,
    scale: Scale,
    carry_over: tuple[float, ...],
    has_interactions: bool = False,
) -> StepSpec:
    """The specification with center and spread of these trajectories."""
    known = trajectories.outcome[~np.isnan(trajectories.outcome)]
    if scale == "difference":
        floor = float(np.finfo(np.float64).min)
    else:
        floor = SMALLEST * float(np.sqrt(np.mean(known**2)))
        known = np.log(known[known > floor])
    center, spread = float(known.mean()), float(known.std()) or 1.0
    return StepSpec(scale, carry_over, has_interactions, center, spread, floor)


def features(
    spec: StepSpec,
    outcome: Float[np.ndarray, "*shape"],
    levels: Float[np.ndarray, "*shape component"],
) -> Float[np.ndarray, "*shape feature"]:
    """Features of a step from the outcome before it and the levels during it."""
    size = outcome_feature(spec, outcome)
    first = np.stack([np.ones_like(size), size], axis=-1)
    return np.concatenate([first, treatment_features(spec, levels)], axis=-1)


def outcome_feature(
    spec: StepSpec, outcome: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """The outcome, or its logarithm, in standard deviations from its mean."""
    size = outcome if spec.scale == "difference" else np.log(np.maximum(outcome, spec.floor))
    return (size - spec.center) / spec.spread


def treatment_features(
    spec: StepSpec, levels: Float[np.ndarray, "*shape component"]
) -> Float[np.ndarray, "*shape feature"]:
    """The levels, and their products where the specification has interactions."""
    if not spec.has_interactions:
        return levels
    count = levels.shape[-1]
    products = [levels[..., a] * levels[..., b] for a in range(count) for b in range(a)]
    return np.concatenate([levels, np.stack(products, axis=-1)], axis=-1)


def change(
    spec: StepSpec, before: Float64[np.ndarray, "*shape"], after: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    """The change from one outcome to the next, on the scale."""
    if spec.scale == "difference":
        return after - before
    safe = np.maximum(before, spec.floor)
    if spec.scale == "relative":
        return after / safe - 1
    return np.log(np.maximum(after, spec.floor) / safe)


def apply_change(
    spec: StepSpec, before: Float[np.ndarray, "*shape"], size: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """The next outcome after a change of this size."""
    if spec.scale == "difference":
        return before + size
    if spec.scale == "relative":
        return before * np.maximum(1 + size, 0)
    return before * np.exp(np.minimum(size, 5.0))


def next_levels(
    spec: StepSpec,
    levels: Float[np.ndarray, "*shape component"],
    dose: Float[np.ndarray, "*shape component"],
) -> Float[np.ndarray, "*shape component"]:
    """Levels in a step: what is left of the step before, and the dose."""
    return levels * np.asarray(spec.carry_over, levels.dtype) + dose


def logged_levels(
    spec: StepSpec, trajectories: OutcomeTrajectories
) -> Float64[np.ndarray, "subject visit component"]:
    """Levels left at each visit from all treatments before it, undecayed: of the step before."""
    dose = trajectories.treatment
    levels = np.zeros((dose.shape[0], dose.shape[1] + 1, dose.shape[2]))
    for step in range(dose.shape[1]):
        levels[:, step + 1] = next_levels(spec, levels[:, step], dose[:, step])
    return levels


def is_usable(
    spec: StepSpec, trajectories: OutcomeTrajectories
) -> Bool[np.ndarray, "subject step"]:
    """Steps whose change is known and, on relative scales, means something."""
    before = np.nan_to_num(trajectories.outcome[:, :-1], nan=-np.inf)
    return trajectories.is_observed & (before > spec.floor)
