"""The same figures for each kind of patient: who is served worse than others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from posology.domain.cohort import Cohort, take
from posology.domain.history import present
from posology.evaluation.significance import REPLICATES, Interval, Statistic, bootstrap_interval
from posology.evaluation.table1.comparison import compute_metric, counted_decisions
from posology.evaluation.table1.predictions import Predictions, select_predictions

_NOT_JUDGED = Interval(float("nan"), float("nan"), float("nan"))

MIN_SUBGROUP_SIZE = 20
"""Groups with fewer decisions are counted, not judged; our own choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Subgroup:
    """Decisions alike in something, such as race, sex or a genotype."""

    family: str
    name: str
    mask: Bool[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True)
class SubgroupRow:
    """One figure of one group; NaN where the group is too small to be judged."""

    family: str
    group: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    is_estimated: bool


def find_subgroups(cohort: Cohort) -> tuple[Subgroup, ...]:
    """The study's subgroups: one a code of each family visible at the decision, and the unknown."""
    found = []
    for family, prefixes in cohort.study.subgroups:
        recorded = np.zeros(len(cohort), dtype=bool)
        for row in sorted(cohort.profile.rows(prefixes)):
            mask = present(cohort.history, cohort.last_step, frozenset({row}))
            recorded |= mask
            if mask.any():
                name = cohort.profile.title(row) or _name(cohort.profile.codes[row], prefixes)
                found.append(Subgroup(family, name, mask))
        if not recorded.all():
            found.append(Subgroup(family, "not recorded or rare", ~recorded))
    return tuple(found)


def score_subgroups(
    predictions: Predictions,
    cohort: Cohort,
    groups: Sequence[Subgroup],
    metrics: Sequence[str],
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> tuple[SubgroupRow, ...]:
    """Each metric of each group with its interval over the group's own subjects."""
    rows = []
    for group in groups:
        for metric in metrics:
            keep = group.mask & counted_decisions(metric, predictions, cohort)
            n = int(keep.sum())
            span = _NOT_JUDGED
            if n >= MIN_SUBGROUP_SIZE:
                mine, part = select_predictions(predictions, keep), take(cohort, keep)
                span = bootstrap_interval(_of(metric, mine, part), part.subject, rng, replicates)
            figures = (span.value, span.low, span.high, n, n >= MIN_SUBGROUP_SIZE)
            rows.append(SubgroupRow(group.family, group.name, metric, *figures))
    return tuple(rows)


def _of(metric: str, answers: Predictions, cohort: Cohort) -> Statistic:
    return lambda weights: compute_metric(metric, answers, cohort, weights)


def _name(code: str, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        if code.startswith(prefix + "//"):
            return code[len(prefix) + 2 :].replace("//", " ")
    return code
