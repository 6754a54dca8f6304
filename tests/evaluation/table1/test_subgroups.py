import numpy as np
import pytest

from posology.evaluation.table1 import dose_error
from posology.evaluation.table1.subgroups import Subgroup, find_subgroups, score_subgroups
from tests.builders import scored_cohorts


def test_subgroups_come_from_the_study(rng):
    cohort = scored_cohorts.make_cohort(rng, 100)
    groups = find_subgroups(cohort)
    assert [(g.family, g.name) for g in groups] == [
        ("race", "Asian"),
        ("race", "White"),
        ("sex", "female"),
        ("sex", "male"),
        ("genotype", "A/A"),
        ("genotype", "A/G"),
    ]
    asian = cohort.history.code[cohort.history.event_offsets[cohort.last_step]] == 0
    assert np.array_equal(groups[0].mask, asian)


def test_metrics_are_of_the_subgroup_alone(rng):
    cohort = scored_cohorts.make_cohort(rng, 100)
    predictions = scored_cohorts.make_predictions(rng, cohort, 1.0)
    mask = np.arange(100) < 40
    (row,) = score_subgroups(
        predictions, cohort, [Subgroup("half", "first", mask)], ["mae"], rng, 200
    )
    assert row.value == pytest.approx(
        dose_error.mean_absolute_error(predictions.dose[:40], dose_error.true_dose(cohort)[:40])[0]
    )
    assert row.low < row.value < row.high
    assert (row.n, row.is_estimated) == (40, True)


def test_a_small_subgroup_is_counted_and_not_estimated(rng):
    cohort = scored_cohorts.make_cohort(rng, 100)
    predictions = scored_cohorts.make_predictions(rng, cohort, 1.0)
    for size, is_estimated in ((19, False), (20, True), (0, False)):
        group = Subgroup("few", "people", np.arange(100) < size)
        (row,) = score_subgroups(predictions, cohort, [group], ["accuracy"], rng, 100)
        assert (row.n, row.is_estimated) == (size, is_estimated)
        assert np.isnan(row.value) is not is_estimated
