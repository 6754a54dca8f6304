from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.evaluation.table1 import dose_error
from tests.builders import scored_cohorts


@given(st.integers(0, 2**31), st.integers(2, 40))
def test_errors_equal_a_plain_loop(seed, n):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(5, 90, n)
    dose = truth * rng.uniform(0.3, 1.9, n)
    dose[0], truth[1] = np.nan, np.nan
    pairs = [(d, t) for d, t in zip(dose, truth, strict=True) if d == d and t == t]
    if not pairs:
        assert np.isnan(dose_error.mean_absolute_error(dose, truth)[0])
        return
    assert dose_error.mean_absolute_error(dose, truth)[0] == pytest.approx(
        np.mean([abs(d - t) for d, t in pairs])
    )
    assert dose_error.mean_error(dose, truth)[0] == pytest.approx(
        np.mean([d - t for d, t in pairs])
    )
    near = [abs(d - t) <= 0.2 * t for d, t in pairs]
    assert dose_error.share_within_20(dose, truth)[0] == pytest.approx(np.mean(near))
    bands = [0] * 5
    for d, t in pairs:
        e = d / t - 1
        bands[0 if e < -0.5 else 1 if e < -0.2 else 2 if e <= 0.2 else 3 if e <= 0.5 else 4] += 1
    assert dose_error.count_error_bands(dose, truth).tolist() == bands


def test_an_error_of_exactly_20_percent_is_within_20_percent():
    stored = np.array([21.0, 28.7, 33.3, 7.1], np.float32)  # as a cohort keeps doses
    truth = stored.astype(float)
    exact = np.array([21.0, 28.7, 33.3, 7.1])
    for dose in (0.8 * exact, 1.2 * exact):
        assert dose_error.share_within_20(dose, truth)[0] == 1.0
        assert dose_error.count_error_bands(dose, truth).tolist() == [0, 0, 4, 0, 0]
    assert dose_error.share_within_20(1.201 * truth, truth)[0] == 0.0


def test_the_true_dose_is_the_outcome_or_the_dose_that_was_effective(rng):
    cohort = scored_cohorts.make_cohort(rng, 4)
    assert np.array_equal(dose_error.true_dose(cohort), cohort.outcome.astype(float))
    effective = np.array([1, 0, np.nan, 1], np.float32)
    other = replace(cohort, study=scored_cohorts.make_study("occurs"), effective=effective)
    truth = dose_error.true_dose(other)
    assert np.array_equal(np.isnan(truth), [False, True, True, False])
    assert truth[0] == pytest.approx(float(cohort.dose[0]))
