import json
from dataclasses import replace

import numpy as np
import pytest

from posology.advice.uncertainty.distance import (
    Distance,
    fit_distance,
    share_less_unusual,
    unusual_codes,
)
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.serialization import deserialize, serialize
from tests.builders.policies import iwpc_cohort
from tests.builders.small_cohorts import take_decisions


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return iwpc_cohort()


@pytest.fixture(scope="module")
def distance(cohort: Cohort) -> Distance:
    found = fit_distance(cohort, np.random.default_rng(0))
    assert found is not None
    return found


def with_number(cohort: Cohort, code: str, number: float) -> Cohort:
    """The first patient, with another number of a fact."""
    one = subset_decisions(cohort, np.arange(len(cohort)) == 0)
    value = one.history.value.copy()
    value[one.history.code == one.profile.codes.index(code)] = number
    return replace(one, history=replace(one.history, value=value))


def event_owner(cohort: Cohort) -> np.ndarray:
    """Row of the subject of each event."""
    first = cohort.history.event_offsets[cohort.history.step_offsets[:-1]]
    return np.searchsorted(first, np.arange(len(cohort.history.code)), side="right") - 1


def test_the_training_patients_are_spread_evenly_over_the_shares(
    cohort: Cohort, distance: Distance
) -> None:
    share = share_less_unusual(distance, cohort.profile, cohort.history, cohort.last_step)
    assert np.mean(share) == pytest.approx(0.5, abs=0.02)
    assert (share >= 0.9).mean() == pytest.approx(0.1, abs=0.02)


def test_a_patient_far_away_is_more_unusual_than_nearly_all(
    cohort: Cohort, distance: Distance
) -> None:
    far = with_number(cohort, "HEIGHT", 320.0)
    share = share_less_unusual(distance, far.profile, far.history, far.last_step)[0]
    assert share >= 0.995
    assert unusual_codes(distance, far.profile, far.history, far.last_step)[0] == "HEIGHT"
    near = with_number(cohort, "HEIGHT", 168.0)
    assert share_less_unusual(distance, near.profile, near.history, near.last_step)[0] < 0.99


def test_facts_that_are_rare_only_together_are_found() -> None:
    cohort = iwpc_cohort()
    height, weight = (cohort.profile.codes.index(c) for c in ("HEIGHT", "WEIGHT"))
    value, owner = cohort.history.value.copy(), event_owner(cohort)
    of_height = cohort.history.code == height
    tall = dict(zip(owner[of_height], value[of_height], strict=True))
    for event in np.flatnonzero(cohort.history.code == weight):
        value[event] = (tall.get(owner[event], 168.0) - 168.0) * 0.9 + 70.0
    tied = replace(cohort, history=replace(cohort.history, value=value))
    distance = fit_distance(tied, np.random.default_rng(0))
    assert distance is not None
    column = [distance.codes.index(code) for code in ("HEIGHT", "WEIGHT")]
    assert distance.precision[column[0]][column[1]] < -0.5


def test_a_missing_number_makes_nobody_unusual(cohort: Cohort, distance: Distance) -> None:
    blank = with_number(cohort, "HEIGHT", np.nan)
    far = with_number(cohort, "HEIGHT", 230.0)
    shares = [
        share_less_unusual(distance, one.profile, one.history, one.last_step)[0]
        for one in (blank, far)
    ]
    assert shares[0] < shares[1]


def test_it_is_kept_as_json(distance: Distance) -> None:
    stored = json.loads(json.dumps(serialize(distance, {})))
    assert deserialize(Distance, stored, {}) == distance


def test_decisions_without_facts_have_no_distance(cohort: Cohort) -> None:
    alike = take_decisions(cohort, np.zeros(30, dtype=np.int64))
    assert fit_distance(alike, np.random.default_rng(0)) is None
