"""Conformal thresholds: the quantile of scores, and more for groups that it covers too rarely."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

Scores = Float64[np.ndarray, " decision"]
Parts = Int64[np.ndarray, " decision"]
Members = Bool[np.ndarray, "decision group"]
Groups = tuple[tuple[str, ...], Members]
"""Names of groups of patients, and who belongs to each."""

MIN_GROUP = 8
"""Calibration patients below which a group gets no margin of its own; our choice."""
_FEWER = 1.0
"""Standard errors below the nominal coverage at which a group gets a margin. Our choice, by
cross-validation inside IWPC: without it, patients of several groups get the largest of many noisy
margins, and the intervals are too wide."""


@dataclass(frozen=True, slots=True)
class GroupMargin:
    """What is added to every threshold for the patients of a group."""

    group: str
    """Code of the group, such as `RACE//Black`."""
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
    rank = int(np.ceil(coverage * (len(scores) + 1) - 1e-9))
    if not 0 < rank <= len(scores):
        return None
    value = float(np.partition(scores, rank - 1)[rank - 1])
    return value if np.isfinite(value) else None


def fit_thresholds(
    scores: Scores, part: Parts, parts: int, groups: Groups, coverage: float
) -> Thresholds:
    """A threshold for each part, and a margin for groups that these cover less than they should.

    Within a part this is Mondrian conformal prediction (Vovk and others 2005, section 4.5):
    coverage holds in each part, not only over all. A margin is the conformal quantile of the
    group's scores minus their thresholds, so that coverage holds in the group as well.
    """
    values = [conformal_quantile(scores[part == number], coverage) for number in range(parts)]
    limits = np.array([np.inf if value is None else value for value in values])
    with np.errstate(invalid="ignore"):
        excess = np.nan_to_num(scores - limits[part], nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    margins = []
    for name, member in zip(groups[0], groups[1].T, strict=True):
        margin = _margin(excess[member], coverage)
        if margin > 0:
            margins.append(GroupMargin(name, margin, int(member.sum())))
    counts = np.bincount(part, minlength=parts)
    return Thresholds(tuple(values), tuple(counts.tolist()), tuple(margins))


def thresholds_of(thresholds: Thresholds, groups: Groups) -> Float64[np.ndarray, "decision part"]:
    """The threshold of each part for each decision, with the largest margin of its groups."""
    names, members = groups
    margin = np.zeros(len(members))
    for one in thresholds.groups:
        if one.group in names:
            is_member = members[:, names.index(one.group)]
            margin = np.where(is_member, np.maximum(margin, one.margin), margin)
    limits = np.array([np.inf if value is None else value for value in thresholds.parts])
    return limits[None, :] + margin[:, None]


def _margin(excess: Scores, coverage: float) -> float:
    """0 if the group is small, or covered as often as it should be but for chance."""
    count = len(excess)
    if count < MIN_GROUP:
        return 0.0
    error = np.sqrt(coverage * (1 - coverage) / count)
    if (excess <= 0).mean() >= coverage - _FEWER * error:
        return 0.0
    rank = min(int(np.ceil(coverage * (count + 1) - 1e-9)), count)
    margin = float(np.partition(excess, rank - 1)[rank - 1])
    return max(margin, 0.0) if np.isfinite(margin) else _largest_finite(excess)


def _largest_finite(excess: Scores) -> float:
    finite = excess[np.isfinite(excess)]
    return max(float(finite.max()), 0.0) if len(finite) else 0.0
