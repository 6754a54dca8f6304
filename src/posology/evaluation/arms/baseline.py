"""Table 1 by arm: the patients who received each option, before any adjustment."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int64

_SKEWED = 1.0
"""Absolute skewness above which the median describes a number better than the mean; our choice."""
SHARE, MEAN, MEDIAN = "share", "mean", "median"


@dataclass(frozen=True, slots=True)
class ArmCell:
    """A covariate in one arm; NaN if it is known of nobody."""

    total: int
    """Decisions of the arm."""
    known: int
    """Decisions at which the covariate is known."""
    mean: float
    """Share, if the covariate is yes or no."""
    deviation: float
    """Standard deviation of the sample."""
    median: float
    lower: float
    """Lower quartile."""
    upper: float
    """Upper quartile."""


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """A covariate by arm."""

    covariate: str
    kind: str
    """How it is described: `share` if it is yes or no, `median` if it is skewed, else `mean`."""
    cells: tuple[ArmCell, ...]
    difference: float
    """Largest absolute standardised mean difference between two arms; NaN if it is undefined."""


def describe_arms(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    names: Sequence[str],
    treatment: Int64[np.ndarray, " decision"],
    options: int,
) -> tuple[BaselineRow, ...]:
    """One row per covariate.

    Args:
        X: covariates in readable units; NaN where a value is unknown.
        names: of the covariates.
        treatment: option given, 0 to options - 1.
        options: number of options.
    """
    arms = [treatment == k for k in range(options)]
    rows = []
    for name, column in zip(names, X.T, strict=True):
        kind = _kind(column)
        cells = tuple(_describe(column[arm]) for arm in arms)
        rows.append(BaselineRow(name, kind, cells, _largest_difference(cells, kind)))
    return tuple(rows)


def _kind(column: Float64[np.ndarray, " decision"]) -> str:
    known = column[~np.isnan(column)]
    if len(known) == len(column) and np.isin(known, (0.0, 1.0)).all():
        return SHARE
    spread = known.std() if len(known) else 0.0
    if spread == 0:
        return MEAN
    skewness = float((((known - known.mean()) / spread) ** 3).mean())
    return MEDIAN if abs(skewness) > _SKEWED else MEAN


def _describe(column: Float64[np.ndarray, " decision"]) -> ArmCell:
    known = column[~np.isnan(column)]
    if not len(known):
        return ArmCell(len(column), 0, *[float("nan")] * 5)
    lower, median, upper = np.quantile(known, (0.25, 0.5, 0.75))
    deviation = float(known.std(ddof=1)) if len(known) > 1 else float("nan")
    figures = (float(known.mean()), deviation, float(median), float(lower), float(upper))
    return ArmCell(len(column), len(known), *figures)


def _largest_difference(cells: tuple[ArmCell, ...], kind: str) -> float:
    """Difference in means over the root of the mean variance (Austin 2009)."""
    differences = []
    for one, two in combinations([c for c in cells if c.known > 1], 2):
        spread = np.sqrt((_variance(one, kind) + _variance(two, kind)) / 2)
        if spread > 0:
            differences.append(abs(one.mean - two.mean) / float(spread))
    return max(differences, default=float("nan"))


def _variance(cell: ArmCell, kind: str) -> float:
    return cell.mean * (1 - cell.mean) if kind == SHARE else cell.deviation**2
