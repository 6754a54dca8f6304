import numpy as np
import pytest

from posology.evaluation.table1 import dose_error as dosing
from posology.evaluation.table1.subgroups import Subgroup, find_subgroups, score_subgroups
from tests.evaluation import synthetic


def test_groups_come_from_the_studys_families(rng):
    cohort = synthetic.cohort(rng, 100)
    groups = find_subgroups(cohort)
    assert [(g.family, g.name) for g in groups] == [
        ("race", "Asian"), ("race", "White"), ("sex", "female"), ("sex", "male"),
        ("genotype", "A/A"), ("genotype", "A/G"),
    ]  # fmt: skip
    asian = cohort.history.code[cohort.history.event_offsets[cohort.last_step]] == 0
    assert np.array_equal(groups[0].mask, asian)


def test_figures_are_of_the_group_alone(rng):
    cohort = synthetic.cohort(rng, 100)
    said = synthetic.answers(rng, cohort, 1.0)
    mask = np.arange(100) < 40
    (row,) = score_subgroups(said, cohort, [Subgroup("half", "first", mask)], ["mae"], rng, 200)
    assert row.value == pytest.approx(
        dosing.mean_absolute_error(said.dose[:40], dosing.true_dose(cohort)[:40])[0]
    )
    assert row.low < row.value < row.high
    assert (row.n, row.is_estimated) == (40, True)


def test_a_small_group_is_counted_and_not_judged(rng):
    cohort = synthetic.cohort(rng, 100)
    said = synthetic.answers(rng, cohort, 1.0)
    for size, judged in ((19, False), (20, True), (0, False)):
        group = Subgroup("few", "people", np.arange(100) < size)
        (row,) = score_subgroups(said, cohort, [group], ["accuracy"], rng, 100)
        assert (row.n, row.is_estimated) == (size, judged)
        assert np.isnan(row.value) is not judged
