from dataclasses import replace

import numpy as np
import pytest

from posology.evaluation.intervals import jackknife_interval, leave_one_out_weights
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
    assert (row.n, row.patients, row.is_estimated) == (40, 40, True)


def test_a_small_subgroup_is_counted_and_not_estimated(rng):
    cohort = scored_cohorts.make_cohort(rng, 100)
    predictions = scored_cohorts.make_predictions(rng, cohort, 1.0)
    for size, is_estimated in ((19, False), (20, True), (0, False)):
        group = Subgroup("few", "people", np.arange(100) < size)
        (row,) = score_subgroups(predictions, cohort, [group], ["accuracy"], rng, 100)
        assert (row.n, row.is_estimated) == (size, is_estimated)
        assert np.isnan(row.value) is not is_estimated


def test_a_subgroup_counts_patients_beside_decisions(rng):
    """Sixty decisions of twelve patients are too few; a hundred of twenty are not."""
    cohort = scored_cohorts.make_cohort(rng, 200, each=5)
    predictions = scored_cohorts.make_predictions(rng, cohort, 1.0)
    for patients, is_estimated in ((12, False), (20, True)):
        group = Subgroup("some", "people", cohort.subject < patients)
        (row,) = score_subgroups(predictions, cohort, [group], ["accuracy"], rng, 50)
        assert (row.n, row.patients) == (5 * patients, patients)
        assert row.is_estimated is is_estimated


def test_a_subgroups_interval_is_over_sites_where_sites_are_held_out(rng):
    cohort = scored_cohorts.make_cohort(rng, 200)
    predictions = scored_cohorts.make_predictions(rng, cohort, 1.0)
    study = replace(cohort.study, split=replace(cohort.study.split, by="site"))
    site = (np.arange(200) % 5).astype(np.int32)
    cohort, mask = replace(cohort, study=study, site=site), np.arange(200) < 150
    (row,) = score_subgroups(predictions, cohort, [Subgroup("a", "b", mask)], ["mae"], rng, 50)
    error = np.abs(predictions.dose - dose_error.true_dose(cohort))[:150]
    weights = leave_one_out_weights(site[:150].astype(np.int64))
    expected = jackknife_interval(float(error.mean()), weights @ error / weights.sum(axis=1))
    assert (row.low, row.high) == pytest.approx((expected.low, expected.high))
