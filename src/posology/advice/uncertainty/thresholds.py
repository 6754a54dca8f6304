"""Conformal thresholds: the quantile of scores, and more for groups that it covers too rarely."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

Scores = Float64[np.ndarray, " decision"]
Parts = Int64[np.ndarray, " decision"]
Inside = Bool[np.ndarray, " decision"]
Members = Bool[np.ndarray, "decision group"]
Groups = tuple[tuple[str, ...], Members]
"""Names of groups of patients, and who belongs to each."""

MIN_GROUP = 8
"""Calibration patients below which a group gets no margin of its own; our choice."""
_FEWER = 1.0
"""Standard errors below the nominal coverage at which a group gets a margin. Our choice, by
cross-validation inside IWPC: without it, patients of several groups get the largest of many noisy
margins, and the intervals are too wide."""
_MOST = 16.0
"""Largest margin that is searched: in either score it keeps nearly every dose."""


@dataclass(frozen=True, slots=True)
class GroupMargin:
    """What is added to every threshold for the patients of a group."""

    group: str
    """Code of the group, such as `RACE//Black`; empty: everybody."""
    margin: float
    """Above 0."""
    patients: int


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The largest score that is kept, in each part of the patients or of the outcomes."""

    parts: tuple[float | None, ...]
    """None: too few patients to exclude anything."""
    patients: tuple[int, ...]
    """Calibration patients of each part."""
    groups: tuple[GroupMargin, ...]


def conformal_quantile(scores: Scores, coverage: float) -> float | None:
    """The ceil(coverage (n + 1))-th smallest score; None if there are fewer, or if it is infinite.

    A further exchangeable patient's score is at most this with the probability `coverage`, whatever
    the model (Vovk, Gammerman and Shafer 2005; Lei and others 2018,
    doi:10.1080/01621459.2017.1307116).
    """
    rank = needed_inside(len(scores), coverage)
    if not 0 < rank <= len(scores):
        return None
    value = float(np.partition(scores, rank - 1)[rank - 1])
    return value if np.isfinite(value) else None


def needed_inside(count: int, coverage: float) -> int:
    """How many of so many calibration patients must be covered: ceil(coverage (n + 1))."""
    return int(np.ceil(coverage * (count + 1) - 1e-9))


def fit_thresholds(scores: Scores, part: Parts, parts: int, coverage: float) -> Thresholds:
    """A threshold for each part; no group has a margin yet.

    Within a part this is Mondrian conformal prediction (Vovk and others 2005, section 4.5):
    coverage holds in each part, not only over all.
    """
    values = tuple(conformal_quantile(scores[part == number], coverage) for number in range(parts))
    return Thresholds(values, tuple(np.bincount(part, minlength=parts).tolist()), ())


def fit_margins(
    groups: Groups, coverage: float, inside: Callable[[float], Inside]
) -> tuple[GroupMargin, ...]:
    """A margin for each group that is covered less often than it should be.

    Args:
        inside: which patients are covered if so much is added to every threshold.
    """
    without = inside(0.0)
    margins = []
    for name, member in zip(groups[0], groups[1].T, strict=True):
        count = int(member.sum())
        if count < MIN_GROUP:
            continue
        error = np.sqrt(coverage * (1 - coverage) / count)
        if without[member].mean() >= coverage - _FEWER * error:
            continue
        needed = min(needed_inside(count, coverage), count)
        margin = _smallest(lambda m, of=member, n=needed: inside(m)[of].sum() >= n)
        margins.append(GroupMargin(name, margin, count))
    return tuple(margins)


def with_margin(thresholds: Thresholds, margin: float) -> Thresholds:
    """The thresholds with one margin for everybody, and none for groups."""
    return replace(thresholds, groups=(GroupMargin("", margin, sum(thresholds.patients)),))


def thresholds_of(thresholds: Thresholds, groups: Groups) -> Float64[np.ndarray, "decision part"]:
    """The threshold of each part for each decision, with the largest margin of its groups."""
    names, members = groups
    margin = np.zeros(len(members))
    for one in thresholds.groups:
        if one.group and one.group not in names:
            continue
        is_member = members[:, names.index(one.group)] if one.group else True
        margin = np.where(is_member, np.maximum(margin, one.margin), margin)
    limits = np.array([np.inf if value is None else value for value in thresholds.parts])
    return limits[None, :] + margin[:, None]


def _smallest(is_enough: Callable[[float], bool]) -> float:
    """The smallest number up to _MOST for which this holds, to a millionth; _MOST if none."""
    low, high = 0.0, _MOST
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def largest(is_enough: Callable[[float], bool]) -> float:
    """The largest number up to _MOST for which this still holds, to a millionth; it does for 0."""
    low, high = 0.0, _MOST
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if is_enough(middle) else (low, middle)
    return low
