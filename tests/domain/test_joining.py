"""Parts of a cohort joined again are the cohort."""

from dataclasses import fields

import numpy as np

from posology.domain.cohort import Cohort, join_cohorts, subset_decisions
from tests.builders.policies import iwpc_cohort


def test_two_parts_joined_are_the_cohort() -> None:
    cohort = iwpc_cohort()
    half = len(cohort.history.subject_id) // 2
    first, second = (subset_decisions(cohort, part) for part in _parts(cohort, half))
    joined = join_cohorts(first, second)
    for field in fields(Cohort):
        ours, whole = getattr(joined, field.name), getattr(cohort, field.name)
        if isinstance(whole, np.ndarray):
            np.testing.assert_array_equal(ours, whole, field.name)
    for field in fields(type(cohort.history)):
        np.testing.assert_array_equal(
            getattr(joined.history, field.name), getattr(cohort.history, field.name), field.name
        )


def _parts(cohort: Cohort, half: int) -> tuple[np.ndarray, np.ndarray]:
    return cohort.subject < half, cohort.subject >= half
