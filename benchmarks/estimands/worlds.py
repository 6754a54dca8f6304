"""The worlds: settings that cover every pair, written out, and fixed by commit before a final run.

The first 22 were found by `covering_array(40, seed=4, tries=300)`; the others repeat what most
studies are like, and are where a rule is learned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

LEVELS: Mapping[str, tuple[object, ...]] = {
    "censoring": ("none", "independent", "covariate", "arm"),
    "death": ("none", "with", "before"),
    "unless": (False, True),
    "grace": (0, 30, 90, 180),
    "decisions": (1, 4, 12),
    "options": (2, 3, 8),
    "resolution": ("minute", "day"),
    "effect": ("null", "common", "varied"),
    "kind": ("does_not_occur", "occurs", "time_to_event", "value_in_range"),
}
"""Every setting's values.

`censoring`: nobody leaves; the study ends at a date, patients enter before it at random; leaving
depends on covariates; on the option. `death`: nobody dies; some do, and death is a failure; many
do, most of them before the event, and it counts as `competing_as` says. `unless`: the option may be
stopped, which is a failure. `grace`: days in which treatment may start, then a landmark.
`decisions`: at most so many of one patient. `effect`: no option differs; they differ alike for
everybody; they differ by covariates, none being better on average.
"""


@dataclass(frozen=True, slots=True)
class World:
    """One row of the covering array."""

    name: str
    censoring: str
    death: str
    unless: bool
    grace: int
    decisions: int
    options: int
    resolution: str
    effect: str
    kind: str
    competing_as: str = "failure"
    strength: float = 1.0
    """Size of the effects, on the scale of log hazards (of probits for values)."""
    rules: bool = False
    """Whether a rule is learned and judged in some draws, which costs ten times the rest."""

    patients: int = 1000
    """Of one draw, so that there are about a thousand decisions to analyse."""

    @property
    def days(self) -> float:
        """Days in which outcomes count, from time zero or the landmark."""
        return 90.0 + self.grace

    @property
    def window(self) -> float:
        """Days from time zero to the end of the outcome's window."""
        return self.grace + self.days


def uncovered(rows: list[tuple[object, ...]]) -> set[tuple[str, object, str, object]]:
    """The pairs of settings that no row has."""
    names = list(LEVELS)
    left = set()
    for a, b in combinations(range(len(names)), 2):
        seen = {(row[a], row[b]) for row in rows}
        for pair in product(LEVELS[names[a]], LEVELS[names[b]]):
            if pair not in seen:
                left.add((names[a], pair[0], names[b], pair[1]))
    return left


def covering_array(rows: int, seed: int = 0, tries: int = 200) -> list[tuple[object, ...]]:
    """Rows that cover every pair, each the best of `tries` random ones for what is left."""
    rng, names = np.random.default_rng(seed), list(LEVELS)
    found: list[tuple[object, ...]] = []
    left = uncovered([])
    while left and len(found) < rows:
        drawn = [
            tuple(LEVELS[n][int(rng.integers(len(LEVELS[n])))] for n in names) for _ in range(tries)
        ]
        best = max(drawn, key=lambda row: len(_pairs(row) & left))
        found.append(best)
        left -= _pairs(best)
    return found


def _pairs(row: tuple[object, ...]) -> set[tuple[str, object, str, object]]:
    names = list(LEVELS)
    return {(names[a], row[a], names[b], row[b]) for a, b in combinations(range(len(names)), 2)}


def _world(line: str) -> World:
    """A world of a line of the table."""
    c = line.split()
    return World(
        name=c[0],
        censoring=c[1],
        death=c[2],
        unless=c[3] == "yes",
        grace=int(c[4]),
        decisions=int(c[5]),
        options=int(c[6]),
        resolution=c[7],
        effect=c[8],
        kind=c[9],
        competing_as=c[10],
        strength=float(c[11]),
        patients=int(c[12]),
        rules=c[13] == "yes",
    )


_TABLE = """
name censoring   death  stop grace k  opts time   effect kind           as             size n
w01  covariate   before yes  90    12 8    day    null   occurs         cause_specific 1    460  no
w02  none        with   no   180   4  3    minute varied occurs         failure        1    520  no
w03  none        none   no   30    1  2    day    common value_in_range failure        1    1000 no
w04  independent before yes  0     1  2    minute null   time_to_event  composite      1    1000 no
w05  arm         none   yes  30    12 3    minute common does_not_occur failure        1    180  no
w06  independent with   no   90    4  8    day    common time_to_event  failure        1    560  no
w07  arm         before no   0     4  2    day    varied does_not_occur cause_specific 1    460  no
w08  covariate   before yes  30    4  8    minute varied value_in_range cause_specific 1    700  no
w09  covariate   none   no   180   1  8    minute null   does_not_occur failure        1    2140 no
w10  arm         with   no   180   12 2    minute null   value_in_range failure        1    220  no
w11  arm         none   no   90    1  3    minute varied time_to_event  failure        1    1580 no
w12  none        none   yes  0     12 8    minute common occurs         failure        1    160  no
w13  independent before yes  180   12 3    day    varied does_not_occur composite      1    360  no
w14  covariate   with   yes  0     1  3    minute common does_not_occur failure        1    1000 no
w15  independent with   no   30    4  3    day    null   occurs         failure        1    400  no
w16  none        before yes  90    1  2    minute null   occurs         failure        1    1860 no
w17  independent none   no   0     4  3    day    null   value_in_range failure        1    280  no
w18  covariate   before no   30    1  2    minute common time_to_event  cause_specific 1    1420 no
w19  none        none   no   180   12 2    day    common time_to_event  failure        1    200  no
w20  arm         none   no   90    1  8    minute null   occurs         failure        1    1960 no
w21  none        with   yes  90    4  8    day    null   does_not_occur failure        1    520  no
w22  arm         before no   90    4  2    day    null   value_in_range failure        1    640  no
w23  none        none   no   0     1  2    minute null   does_not_occur failure        1    1000 yes
w24  none        none   no   0     1  2    minute varied does_not_occur failure        1    1000 yes
w25  arm         none   yes  0     1  2    minute null   does_not_occur failure        1    1000 yes
w26  covariate   with   no   0     1  2    minute varied does_not_occur failure        1    1000 yes
w27  none        none   no   0     12 2    minute null   does_not_occur failure        1    160  yes
w28  arm         with   yes  180   1  2    day    varied value_in_range failure        1.4  1480 yes
w29  independent none   yes  0     4  2    minute varied occurs         failure        0.85 280  yes
w30  covariate   before no   0     1  2    minute null   time_to_event  cause_specific 1    1000 yes
"""
WORLDS = tuple(_world(line) for line in _TABLE.strip().splitlines()[1:])
