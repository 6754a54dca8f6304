"""Which counts may be published: none under a limit, and none from which such a one follows.

A count under the limit is suppressed. Where a total and its other parts would reveal it, a partner
is suppressed too. At the end every suppressed small count is attacked with all that is published:
it is safe if a number at or above the limit is still possible.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

MIN_COUNT = 5
"""Smaller counts of patients are suppressed."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A total and the parts that make it up, each by the name of its count.

    Parts that overlap, as options that one patient had in turn, add up to more than their total.
    """

    total: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountTable:
    """Counts of patients by name, and what is known about them."""

    counts: Mapping[str, int]
    relations: Sequence[Relation]
    zeros: frozenset[str] = frozenset()
    """Counts that may be published when they are 0: nobody is nobody's secret."""
    withheld: frozenset[str] = frozenset()
    """Never published."""
    fixed: frozenset[str] = frozenset()
    """Published already, or withheld: no further one of these is suppressed."""
    importance: Mapping[str, int] = field(default_factory=dict)
    """Partners with the lowest are suppressed first, by default 0; then the smallest counts."""

    def is_small(self, name: str, least: int) -> bool:
        """Whether the count is under the limit."""
        count = self.counts[name]
        return count < least and not (count == 0 and name in self.zeros)

    def choose(self, names: Iterable[str], hidden: set[str]) -> str | None:
        """The one of these to suppress, if one can be."""
        open_ones = sorted(set(names) - hidden - self.fixed)
        order = ((self.importance.get(name, 0), self.counts[name], name) for name in open_ones)
        return min(order, default=(0, 0, None))[-1]


def suppress_counts(table: CountTable, least: int = MIN_COUNT) -> dict[str, int | None]:
    """The counts, None where they are suppressed; `least` is the smallest that may be published."""
    small = {name for name in table.counts if table.is_small(name, least)}
    hidden = (small - table.fixed) | table.withheld
    while True:
        while partners := _partners(table, hidden, least):
            hidden |= partners
        at_risk = sorted(small & hidden)
        exposed = next((name for name in at_risk if _is_exposed(name, table, hidden, least)), None)
        if exposed is None:
            counts = table.counts.items()
            return {name: None if name in hidden else count for name, count in counts}
        hidden.add(_near(exposed, table, hidden))


def _partners(table: CountTable, hidden: set[str], least: int) -> set[str]:
    found = (_partner(table, hidden, relation, least) for relation in table.relations)
    return {name for name in found if name is not None}


def _partner(table: CountTable, hidden: set[str], relation: Relation, least: int) -> str | None:
    """A count to suppress as well, so that this relation alone reveals no small one."""
    parts = [name for name in relation.parts if name in hidden]
    if relation.total in hidden:  # the sum of its parts must not be known
        return None if parts else table.choose(relation.parts, hidden)
    if not any(table.is_small(name, least) for name in parts):
        return None
    if len(parts) > 1 and sum(table.counts[name] for name in parts) >= least:
        return None
    return table.choose((relation.total, *relation.parts), hidden)


def _is_exposed(name: str, table: CountTable, hidden: set[str], least: int) -> bool:
    """Whether all that is published proves that this count is below the limit.

    The largest number that fits every relation, by linear programming.
    """
    from scipy.optimize import linprog

    column = {cell: at for at, cell in enumerate(sorted(hidden))}
    equal, below = _constraints(table.counts, column, table.relations)
    objective = np.zeros(len(column))
    objective[column[name]] = -1
    found = linprog(
        objective,
        A_ub=below[:, :-1] if len(below) else None,
        b_ub=below[:, -1] if len(below) else None,
        A_eq=equal[:, :-1] if len(equal) else None,
        b_eq=equal[:, -1] if len(equal) else None,
        method="highs",
    )
    return found.status == 0 and -found.fun < least - 1e-6


def _constraints(
    counts: Mapping[str, int], column: Mapping[str, int], relations: Sequence[Relation]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of equations and of upper bounds on the suppressed counts; the last column is right."""

    def row(terms: Sequence[tuple[str, int]]) -> np.ndarray:
        made = np.zeros(len(column) + 1)
        for cell, factor in terms:
            if cell in column:
                made[column[cell]] += factor
            else:
                made[-1] -= factor * counts[cell]
        return made

    equal, below = [], []
    for relation in relations:
        sum_of_parts = [(part, -1) for part in relation.parts]
        whole = row([(relation.total, 1), *sum_of_parts])
        if counts[relation.total] == sum(counts[part] for part in relation.parts):
            equal.append(whole)
            continue
        below.append(whole)
        below += [row([(part, 1), (relation.total, -1)]) for part in relation.parts]
    width = len(column) + 1
    return np.array(equal).reshape(-1, width), np.array(below).reshape(-1, width)


def _near(exposed: str, table: CountTable, hidden: set[str]) -> str:
    """A published count in the relations around an exposed one, widening from it."""
    near = {exposed}
    while True:
        touched = [r for r in table.relations if near & {r.total, *r.parts}]
        around = {cell for r in touched for cell in (r.total, *r.parts)}
        chosen = table.choose(around, hidden)
        if chosen is not None:
            return chosen
        if around <= near:
            raise AssertionError(f"{exposed}: follows from counts that are published already")
        near |= around
