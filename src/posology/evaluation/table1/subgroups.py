"""Table 1 for each subgroup of patients: who gets worse predictions than others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from posology.domain.codes import given_name, words_of_code
from posology.domain.cohort import Cohort, held_out_sites, subset_decisions
from posology.domain.history import has_code
from posology.evaluation.intervals import REPLICATES, Interval, Statistic, clustered_interval
from posology.evaluation.table1.metrics import compute_metric, counted_decisions
from posology.evaluation.table1.predictions import Predictions, select_predictions

_NOT_ESTIMATED = Interval(float("nan"), float("nan"), float("nan"))

MIN_SUBGROUP_SIZE = 20
"""Subgroups of fewer patients are counted but get no estimate; our own choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Subgroup:
    """Decisions of patients with the same code, such as a race, a sex or a genotype."""

    family: str
    name: str
    mask: Bool[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True)
class SubgroupRow:
    """One metric of one subgroup; NaN if the subgroup is too small."""

    family: str
    group: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    """Number of decisions counted."""
    patients: int
    is_estimated: bool


def find_subgroups(cohort: Cohort) -> tuple[Subgroup, ...]:
    """The study's subgroups: one per code visible at the decision, and one without any."""
    subgroups = []
    for family, prefixes in cohort.study.subgroups:
        recorded = np.zeros(len(cohort), dtype=bool)
        for row in sorted(cohort.profile.rows(prefixes)):
            mask = has_code(cohort.history, cohort.last_step, frozenset({row}))
            recorded |= mask
            if mask.any():
                name = _group_name(cohort, row, prefixes)
                subgroups.append(Subgroup(family, name, mask))
        if not recorded.all():
            subgroups.append(Subgroup(family, "not recorded or rare", ~recorded))
    return tuple(subgroups)


def score_subgroups(
    predictions: Predictions,
    cohort: Cohort,
    subgroups: Sequence[Subgroup],
    metrics: Sequence[str],
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> tuple[SubgroupRow, ...]:
    """Each metric of each subgroup, with its interval over the subgroup's own subjects.

    Where the study splits by site, the interval is over the subgroup's own sites.
    """
    rows = []
    site = held_out_sites(cohort)
    for subgroup in subgroups:
        for metric in metrics:
            keep = subgroup.mask & counted_decisions(metric, predictions, cohort)
            patients = len(np.unique(cohort.subject[keep]))
            estimate = _NOT_ESTIMATED
            if patients >= MIN_SUBGROUP_SIZE:
                members = subset_decisions(cohort, keep)
                statistic = _statistic(metric, select_predictions(predictions, keep), members)
                own_site = None if site is None else site[keep]
                estimate = clustered_interval(statistic, members.subject, own_site, rng, replicates)
            rows.append(
                SubgroupRow(
                    family=subgroup.family,
                    group=subgroup.name,
                    metric=metric,
                    value=estimate.value,
                    low=estimate.low,
                    high=estimate.high,
                    n=int(keep.sum()),
                    patients=patients,
                    is_estimated=patients >= MIN_SUBGROUP_SIZE,
                )
            )
    return tuple(rows)


def _statistic(metric: str, predictions: Predictions, cohort: Cohort) -> Statistic:
    return lambda weights: compute_metric(metric, predictions, cohort, weights)


def _group_name(cohort: Cohort, row: int, prefixes: tuple[str, ...]) -> str:
    """The code's name; without the name of the family, if only that has one."""
    code, title = cohort.profile.codes[row], cohort.profile.title(row)
    is_of_prefix = title == given_name(code, cohort.study.names)
    if title and (not is_of_prefix or code in dict(cohort.study.names)):
        return title
    return _name_without_prefix(code, prefixes)


def _name_without_prefix(code: str, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        if code.startswith(prefix + "//"):
            return code[len(prefix) + 2 :].replace("//", " ")
    return words_of_code(code)
