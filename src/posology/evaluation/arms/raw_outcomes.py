"""Outcomes by arm and their differences as the data show them, without any adjustment."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.evaluation.intervals import Z_95, Difference

Column = Float64[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True)
class RawArm:
    """An outcome in the decisions at which an option was given."""

    option: str
    patients: int
    decisions: int
    known: int
    """Decisions at which the outcome is known."""
    total: float
    """Sum of the known outcomes: their number, if the outcome is yes or no."""
    mean: float
    """Mean of the known outcomes; NaN if none is known."""
    deviation: float
    """Their standard deviation."""


@dataclass(frozen=True, slots=True)
class RawOutcome:
    """An outcome by arm, and each arm's difference in means from the comparator."""

    name: str
    arms: tuple[RawArm, ...]
    comparator: int
    """Index of the arm that the others are compared with."""
    differences: tuple[Difference, ...]
    """Of each arm; its own is 0."""


def describe_outcome(
    name: str,
    outcome: Column,
    arms: tuple[Int64[np.ndarray, " decision"], Int64[np.ndarray, " decision"]],
    options: Sequence[str],
    comparator: int,
) -> RawOutcome:
    """Counts and means of the known outcomes, and their differences.

    Args:
        name: of the outcome.
        outcome: NaN where it is unknown; such decisions are left out.
        arms: option given and subject of each decision.
        options: names of the options.
        comparator: index of the option that the others are compared with.
    """
    treatment, subject = arms
    known = ~np.isnan(outcome)
    rows = tuple(
        _arm(option, outcome, known, treatment == k, subject) for k, option in enumerate(options)
    )
    differences = tuple(
        raw_difference(outcome, known, treatment, (k, comparator), subject)
        for k in range(len(options))
    )
    return RawOutcome(name, rows, comparator, differences)


def _arm(
    option: str,
    outcome: Column,
    known: Bool[np.ndarray, " decision"],
    given: Bool[np.ndarray, " decision"],
    subject: Int64[np.ndarray, " decision"],
) -> RawArm:
    values = outcome[given & known]
    return RawArm(
        option=option,
        patients=len(np.unique(subject[given])),
        decisions=int(given.sum()),
        known=len(values),
        total=float(values.sum()),
        mean=float(values.mean()) if len(values) else float("nan"),
        deviation=float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
    )


def raw_difference(
    outcome: Column,
    known: Bool[np.ndarray, " decision"],
    treatment: Int64[np.ndarray, " decision"],
    options: tuple[int, int],
    subject: Int64[np.ndarray, " decision"],
) -> Difference:
    """Difference in means of two arms; the interval is normal, clustered by subject.

    Liang and Zeger 1986 (doi:10.1093/biomet/73.1.13): residuals of one subject are added first.
    """
    first, second = (known & (treatment == k) for k in options)
    if options[0] == options[1]:
        return Difference(0.0, 0.0, 0.0, 1.0)
    if not first.any() or not second.any():
        return Difference(*[float("nan")] * 4)
    influence = np.zeros(len(outcome))
    for arm, sign in ((first, 1.0), (second, -1.0)):
        influence[arm] = sign * (outcome[arm] - outcome[arm].mean()) / arm.sum()
    both = first | second
    row = np.unique(subject[both], return_inverse=True)[1]
    clusters = np.bincount(row, influence[both])
    factor = len(clusters) / max(len(clusters) - 1, 1)
    value = float(outcome[first].mean() - outcome[second].mean())
    return normal_difference(value, sqrt(factor * float((clusters**2).sum())))


def normal_difference(value: float, error: float) -> Difference:
    """A difference with a normal interval and two-sided p value."""
    if not error > 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    p = erfc(abs(value) / error / sqrt(2))
    return Difference(value, value - Z_95 * error, value + Z_95 * error, p)
