"""Each recommendation belongs to the first decision that follows it."""

from dataclasses import replace

import numpy as np
import pytest

from posology.errors import UserError
from posology.lifecycle.advice_log import ACCEPTED, OVERRIDDEN, UNKNOWN, AdviceLog, match_advice
from tests.builders.small_cohorts import small_cohort


def test_recommendations_are_matched_by_patient_and_time() -> None:
    cohort = replace(small_cohort(0, 5, best_known=True), time=np.array([10.0, 20, 30, 40, 50]))
    given = int(cohort.treatment[0])
    other = (int(cohort.treatment[1]) + 1) % 3
    log = AdviceLog(
        subject_id=np.array([1, 2, 3, 4, 9]),
        time=np.array([9.5, 20.4, 25.0, 41.5, 50.0]),
        option=np.array([given, other, 0, 0, 0]),
        accepted=np.array([ACCEPTED, OVERRIDDEN, ACCEPTED, ACCEPTED, ACCEPTED], np.int8),
        probability=np.array([0.7, 0.7, 0.7, 0.7, 0.7]),
    )
    found = match_advice(cohort, log, 1.0)
    assert found.option.tolist() == [given, other, -1, -1, -1]
    assert found.accepted.tolist() == [ACCEPTED, OVERRIDDEN, UNKNOWN, UNKNOWN, UNKNOWN]
    assert found.probability[0] == 0.7
    assert np.isnan(found.probability[1:]).all()  # another option was given than the one drawn
    assert found.unmatched == 3
    with pytest.raises(UserError, match="recommendations cannot be matched"):
        match_advice(replace(cohort, time=None), log, 1.0)
