import re

from posology.evaluation.intervals import Difference
from posology.report.effects.forest import (
    BETTER,
    REFERENCE,
    SAME,
    WORSE,
    forest_cells,
    reading,
)


def difference(value: float, half: float) -> Difference:
    return Difference(value, value - half, value + half, 0.5)


def test_the_shape_says_on_which_side_of_0_the_interval_lies() -> None:
    assert reading(difference(2.0, 1.0)) == BETTER
    assert reading(difference(-2.0, 1.0)) == WORSE
    assert reading(difference(2.0, 1.0), higher_is_better=False) == WORSE
    assert reading(difference(0.5, 1.0)) == SAME
    assert reading(difference(0.0, 0.0)) == REFERENCE


def test_every_mark_lies_within_its_cell_and_unknown_rows_are_empty() -> None:
    rows = [difference(5.0, 4.0), None, difference(-30.0, 2.0), difference(0.0, 0.0)]
    cells, axis = forest_cells(rows)
    assert cells[1] == ""
    places = [float(x) for x in re.findall(r'x[12]?="([\d.]+)%"', "".join(cells) + axis)]
    assert len(places) > 12
    assert min(places) >= 0
    assert max(places) <= 100
