"""Effective sample size, refusals and the coverage of intervals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.evaluation.off_policy.estimators import Logged, unconverged
from posology.evaluation.off_policy.support import (
    Estimate,
    Refusal,
    Stating,
    by_patient,
    effective_sample_size,
    estimate,
    mean_interval,
)


@given(st.integers(1, 50), st.floats(0.1, 10))
def test_equal_weights_count_every_patient(patients, weight):
    assert effective_sample_size(np.full(patients, weight)) == pytest.approx(patients)


def test_one_heavy_patient_counts_as_one():
    assert effective_sample_size(np.array([1.0, 0.0, 0.0])) == 1.0
    assert effective_sample_size(np.zeros(3)) == 0.0


def single(patients: int, target: float) -> Logged:
    rng = np.random.default_rng(0)
    given_ = rng.random(patients) < 0.5
    return Logged(
        target=np.where(given_, target, 1 - target),
        behaviour=np.full(patients, 0.5),
        reward=np.where(given_, 1.0, 0.0),
        offsets=np.arange(patients + 1),
    )


def test_too_little_overlap_is_refused_with_the_reason():
    answer = estimate(single(60, 0.9), "wis", np.random.default_rng(0))
    assert isinstance(answer, Refusal)
    assert answer.reason.startswith("effective sample size")
    assert "of 60 patients is below 200: too few were treated as this policy" in answer.reason


def test_weights_that_do_not_average_one_are_refused_where_they_must():
    logged = single(2_000, 0.8)
    lost = replace(logged, target=logged.target * 0.5)
    answer = estimate(lost, "is", np.random.default_rng(0))
    assert isinstance(answer, Refusal)
    assert "importance weights average 0.5" in answer.reason
    assert isinstance(estimate(lost, "wis", np.random.default_rng(0)), Estimate)
    assert isinstance(estimate(logged, "is", np.random.default_rng(0)), Estimate)


def test_enough_overlap_is_stated_with_an_interval():
    answer = estimate(single(2_000, 0.8), "wis", np.random.default_rng(0))
    assert isinstance(answer, Estimate)
    assert answer.low < 0.8 < answer.high
    assert answer.value == pytest.approx(answer.per_patient.mean())
    assert answer.patients == 2_000


def test_the_occupancy_estimate_is_refused_by_its_own_weights():
    logged = replace(single(2_000, 0.999), q=np.zeros(2_000), v=np.zeros(2_000))
    heavy = np.zeros(2_000)
    heavy[:40] = 50.0
    answer = estimate(replace(logged, occupancy=heavy), "odr", np.random.default_rng(0))
    assert isinstance(answer, Refusal)
    assert answer.effective == pytest.approx(40)


def test_the_direct_method_states_no_interval():
    bare = single(500, 0.6)
    logged = replace(bare, q=bare.reward, v=np.full(500, 0.6))
    answer = estimate(logged, "direct", np.random.default_rng(0))
    assert isinstance(answer, Estimate)
    assert answer.value == pytest.approx(0.6)
    assert np.isnan(answer.low)
    assert np.isnan(answer.high)


@pytest.mark.parametrize("method", ["bca", "studentised"])
def test_intervals_of_a_skewed_mean_cover_it(method):
    rng = np.random.default_rng(1)
    rule = Stating(draws=400, method=method)
    hits = 0
    for _round in range(300):
        low, high = mean_interval(rng.exponential(size=60), rng, rule)
        hits += low < 1.0 < high
    assert 0.90 < hits / 300 < 0.985


def test_a_constant_has_no_width():
    interval = mean_interval(np.full(20, 0.4), np.random.default_rng(0), Stating())
    assert interval == pytest.approx((0.4, 0.4))


def reviews(patients: int, each: int) -> Logged:
    """Patients with several reviews that all go as the patient does."""
    rng = np.random.default_rng(2)
    reward = np.repeat(rng.random(patients) < 0.5, each).astype(np.float64)
    one = np.ones(patients * each)
    patient = np.repeat(np.arange(patients), each)
    return Logged(one, one, reward, np.arange(patients * each + 1), patient=patient)


def test_intervals_are_of_patients_and_not_of_their_reviews():
    logged = reviews(400, 9)
    found = estimate(logged, "wis", np.random.default_rng(0))
    naive = estimate(replace(logged, patient=None), "wis", np.random.default_rng(0))
    once = mean_interval(logged.reward[::9], np.random.default_rng(0), Stating())
    assert isinstance(found, Estimate)
    assert isinstance(naive, Estimate)
    assert found.value == pytest.approx(naive.value)
    assert (found.low, found.high) == pytest.approx(once, abs=1e-3)
    assert found.high - found.low > 2.5 * (naive.high - naive.low)
    assert (found.patients, found.effective) == (400, pytest.approx(400))


def test_patients_of_unequal_reviews_keep_the_mean():
    logged = replace(reviews(50, 4), patient=np.sort(np.arange(200) % 37))
    values = np.random.default_rng(0).normal(size=200)
    assert by_patient(logged, values).mean() == pytest.approx(values.mean())
    assert len(by_patient(logged, values)) == 37


def test_a_model_that_has_not_converged_is_refused():
    logged = replace(single(500, 0.6), q=np.full(500, 0.1), v=np.full(500, 0.1))
    assert unconverged(logged) > 0.5
    answer = estimate(logged, "direct", np.random.default_rng(0))
    assert isinstance(answer, Refusal)
    assert "it does not fit, or has not converged" in answer.reason
