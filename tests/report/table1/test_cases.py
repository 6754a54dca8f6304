"""Patients of the comparison as cases."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import subset_decisions
from posology.report.table1.cases import _age
from tests.builders.small_cohorts import small_cohort


@pytest.mark.parametrize(("day", "age"), [(-1, 64), (0, 65), (200, 65)])
def test_a_case_s_age_is_in_completed_years_by_the_calendar(day: int, age: int) -> None:
    cohort = small_cohort(0, 1, best_known=True)
    patient = subset_decisions(cohort, np.array([True]))
    birth = 0
    time = patient.history.time.copy()
    born, birthday = (
        float((np.datetime64(date) - np.datetime64("1970-01-01")).astype(int))
        for date in ("1961-11-30", "2026-11-30")
    )
    step = int(np.searchsorted(patient.history.event_offsets, birth, side="right")) - 1
    time[step], time[patient.last_step[0]] = born, birthday + day
    assert _age(replace(patient, history=replace(patient.history, time=time)), birth) == age
