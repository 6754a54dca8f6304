"""The counts of patients that a summary holds, with all that a reader knows about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posology.causal.trial import Mask, Trial
from posology.evaluation.pooling.disclosure import CountTable, Relation, suppress_counts
from posology.evaluation.table1.subgroups import Subgroup

ALL = Subgroup("", "", np.zeros(0, dtype=bool))
"""Stands for all analysed patients; its mask is not read."""
Published = Mapping[str, int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What is counted: the analysed patients of a trial, by group, option and outcome."""

    trial: Trial
    population: Mask
    groups: Sequence[Subgroup]
    """Of the main outcome; masks over the trial's decisions."""
    events: Mapping[str, Mask]
    """By outcome, the decisions at which it is known to have occurred; the main one first."""

    @property
    def strata(self) -> tuple[Subgroup, ...]:
        """All analysed patients, then each group."""
        return (ALL, *self.groups)

    def members(self, stratum: Subgroup) -> Mask:
        """Its decisions in the analysis population."""
        return self.population if stratum is ALL else self.population & stratum.mask


def people(stratum: Subgroup, option: int | None = None) -> str:
    """Name of a count of patients; of those given an option."""
    return f"patients/{stratum.family}/{stratum.name}/{_of(option)}"


def with_event(outcome: str, stratum: Subgroup, option: int | None = None) -> str:
    """Name of the count of those of them with the outcome."""
    return f"with/{outcome}/{stratum.family}/{stratum.name}/{_of(option)}"


def without_event(outcome: str, stratum: Subgroup, option: int | None = None) -> str:
    """Name of the count of the others."""
    return f"without/{outcome}/{stratum.family}/{stratum.name}/{_of(option)}"


EVERYONE, EXCLUDED = "patients of the cohort", "patients outside the analysis population"


def publish_counts(counted: Counted, reference: int | None, least: int) -> Published:
    """Every count by its name; None where it is suppressed.

    Those of all analysed patients first, then those of one family of groups after the other: what
    protects a group costs nothing of the whole. Families meet in the whole alone.

    Args:
        counted: what is counted.
        reference: option that effects are differences to; None: treatment as observed, whose counts
            are otherwise given up first.
        least: smallest count that is published.
    """
    whole = _count_all(counted, reference)
    published = suppress_counts(whole, least)
    for family in dict.fromkeys(group.family for group in counted.groups):
        groups = [group for group in counted.groups if group.family == family]
        table = _count_groups(counted, groups, reference)
        joined = CountTable(
            counts={**whole.counts, **table.counts},
            relations=[*whole.relations, *table.relations],
            zeros=whole.zeros | table.zeros,
            withheld=frozenset(n for n, c in published.items() if n in whole.counts and c is None),
            fixed=frozenset(whole.counts),
            importance=table.importance,
        )
        published |= suppress_counts(joined, least)
    return published


def _count_all(counted: Counted, reference: int | None) -> CountTable:
    """All analysed patients, with each outcome."""
    trial = counted.trial
    total, analysed = _patients(trial, np.ones(len(trial), dtype=bool)), people(ALL)
    counts = {EVERYONE: total, analysed: _patients(trial, counted.population)}
    counts[EXCLUDED] = total - counts[analysed]
    relations = [Relation(EVERYONE, (analysed, EXCLUDED))]
    for outcome in counted.events:
        _count_stratum(counted, ALL, outcome, counts, relations)
    return _table(counts, relations, reference)


def _count_groups(
    counted: Counted, groups: Sequence[Subgroup], reference: int | None
) -> CountTable:
    """The groups of one family, with the main outcome, and that they make up the whole."""
    main = next(iter(counted.events))
    counts: dict[str, int] = {}
    relations: list[Relation] = []
    for group in groups:
        _count_stratum(counted, group, main, counts, relations)
    for option in (None, *range(counted.trial.n_options)):
        relations += [
            Relation(name(ALL), tuple(name(group) for group in groups))
            for name in _names(main, option)
        ]
    return _table(counts, relations, reference)


def _table(
    counts: Mapping[str, int], relations: Sequence[Relation], reference: int | None
) -> CountTable:
    """Patients before events, the reference before other options, the rest first to go."""
    own = {True: _of(reference), False: _of(None)}
    importance = {
        name: 2 * (name.rpartition("/")[2] == own[True])
        + (name.rpartition("/")[2] != own[False])
        + 4 * (not name.startswith("with"))
        for name in counts
    }
    nobody = frozenset(name for name in counts if not name.startswith("with"))
    empty = {name for name in nobody if counts[name] == 0}
    zeros = nobody | {name for name in counts if name.startswith("with") and _whole(name) in empty}
    return CountTable(counts, relations, frozenset(zeros), importance=importance)


def _whole(name: str) -> str:
    """The count of patients that a count with or without an outcome is part of."""
    family, group, option = name.split("/")[-3:]
    return f"patients/{family}/{group}/{option}"


def _count_stratum(
    counted: Counted,
    stratum: Subgroup,
    outcome: str,
    counts: dict[str, int],
    relations: list[Relation],
) -> None:
    """Add the patients of a stratum with and without one outcome, by option and in all."""
    trial, members = counted.trial, counted.members(stratum)
    options = range(trial.n_options)
    for option in (None, *options):
        rows = members if option is None else members & (trial.treatment == option)
        everyone, with_it = _patients(trial, rows), _patients(trial, rows & counted.events[outcome])
        whole, event, rest = (name(stratum) for name in _names(outcome, option))
        counts |= {whole: everyone, event: with_it, rest: everyone - with_it}
        relations.append(Relation(whole, (event, rest)))
    for at, name in enumerate(_names(outcome, None)):
        parts = tuple(_names(outcome, option)[at](stratum) for option in options)
        relations.append(Relation(name(stratum), parts))


def _names(outcome: str, option: int | None) -> tuple[Callable[[Subgroup], str], ...]:
    """The three names of counts of one option, as functions of the stratum."""
    return (
        lambda stratum: people(stratum, option),
        lambda stratum: with_event(outcome, stratum, option),
        lambda stratum: without_event(outcome, stratum, option),
    )


def _patients(trial: Trial, rows: Mask) -> int:
    return len(np.unique(trial.subject[rows]))


def _of(option: int | None) -> str:
    return "all" if option is None else str(option)
