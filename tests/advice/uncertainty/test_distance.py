import json
from dataclasses import replace

import numpy as np
import pytest

from posology.advice.uncertainty.distance import (
    Distance,
    _varying,
    fit_distance,
    share_less_unusual,
    unusual_codes,
)
from posology.advice.uncertainty.facts import FactTable
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.history import History, offsets_from_counts
from posology.domain.serialization import deserialize, serialize
from tests.builders.policies import iwpc_cohort
from tests.builders.small_cohorts import small_cohort, take_decisions


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


def only_flags(is_male: np.ndarray) -> Cohort:
    """Patients of whom nothing differs but whether one code is recorded."""
    n = len(is_male)
    base = small_cohort(0, n, best_known=True)
    code = np.concatenate([[1, 0] if male else [1] for male in is_male]).astype(np.int32)
    history = History(
        code=code,
        value=np.full(len(code), np.nan, np.float32),
        event_offsets=offsets_from_counts(1 + is_male.astype(np.int64)),
        time=np.full(n, np.nan),
        step_offsets=np.arange(n + 1, dtype=np.int64),
        subject_id=np.arange(n, dtype=np.int64),
    )
    return replace(base, history=history, last_step=np.arange(n, dtype=np.int64))


@pytest.mark.parametrize(("every", "rare", "common"), [(2, 0.0, 0.0), (25, 0.96, 0.0)])
def test_patients_alike_are_not_more_unusual_than_one_another(
    every: int, rare: float, common: float
) -> None:
    """Once 0.999 of a single fact that half of the patients have: nobody had an answer."""
    cohort = only_flags(np.arange(1000) % every > 0)
    found = fit_distance(cohort, np.random.default_rng(0))
    assert found is not None
    share = share_less_unusual(found, cohort.profile, cohort.history, cohort.last_step)
    assert share[0] == pytest.approx(rare, abs=0.011)
    assert share[1] == pytest.approx(common, abs=0.011)


def test_a_number_that_all_have_alike_is_no_column_whoever_comes_first() -> None:
    """Once it was one where the first decision lacked it."""
    recorded, number = np.ones((100, 1), bool), np.full((100, 1), 5.0)
    number[0] = np.nan
    subject = np.arange(100)
    assert _varying(FactTable(recorded, number), subject) == []
    number[1] = 6.0
    assert _varying(FactTable(recorded, number), subject) == [(0, True)]


@pytest.mark.parametrize(("patients", "columns"), [(2, []), (4, []), (5, [(0, True), (0, False)])])
def test_nothing_is_kept_of_what_fewer_than_five_patients_have(
    patients: int, columns: list[tuple[int, bool]]
) -> None:
    """The mean and deviation of two patients' numbers are both numbers."""
    subject = np.repeat(np.arange(50), 2)
    recorded = (subject < patients)[:, None]
    number = np.where(recorded, 70.0 + subject[:, None], np.nan)
    assert _varying(FactTable(recorded, number), subject) == columns
    lacking = FactTable(~recorded, np.full((100, 1), np.nan))
    assert _varying(lacking, subject) == [c for c in columns if not c[1]]
