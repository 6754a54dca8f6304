"""Which doses are asked about."""

from dataclasses import replace

import numpy as np

from posology.learners.features.dose_grid import (
    MAX_LEVELS,
    MIN_DECISIONS_PER_DOSE,
    log_dose_shifts,
    observed_dose_levels,
)
from tests.builders.synthetic_iwpc import cohort as make_cohort


def _given(doses: np.ndarray):
    cohort = make_cohort()
    count = len(cohort)
    dose = np.resize(doses, count).astype(np.float32)
    return replace(cohort, treatment=np.zeros(count, np.int32), dose=dose)


def test_doses_given_often_are_levels_and_rare_ones_are_not() -> None:
    doses = np.repeat([5.0, 10.0, 20.0], MIN_DECISIONS_PER_DOSE * 2)
    doses[0] = 7.0
    levels = observed_dose_levels(_given(doses))
    assert levels[0] == (5.0, 10.0, 20.0)
    assert levels[1] == (1.0,)  # never given


def test_doses_of_few_patients_are_levels_though_none_is_frequent() -> None:
    cohort = _given(np.array([5.0, 10.0, 20.0, 40.0]))
    few = replace(cohort, dose=np.where(np.arange(len(cohort)) < 40, cohort.dose, np.nan))
    assert observed_dose_levels(few)[0] == (5.0, 10.0, 20.0, 40.0)


def test_continuous_doses_become_quantiles_inside_what_was_given() -> None:
    cohort = _given(np.random.default_rng(0).uniform(2, 20, 240))
    levels = observed_dose_levels(cohort)[0]
    assert len(levels) == MAX_LEVELS
    assert cohort.dose.min() < levels[0] < levels[-1] < cohort.dose.max()


def test_a_shift_is_0_in_the_middle_and_stays_inside_the_levels() -> None:
    cohort = _given(np.array([1.0, 2.0, 4.0, 64.0, np.nan]))
    found = log_dose_shifts(cohort, ((1.0, 2.0, 4.0), (1.0,), (1.0,)))
    np.testing.assert_allclose(found[:5, 0], [-1.0, 0.0, 1.0, 1.0, 0.0], atol=1e-6)
    assert (found[:, 1:] == 0).all()
