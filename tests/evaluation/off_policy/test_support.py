"""Effective sample size, refusals and the coverage of intervals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.domain.trajectories import without_observations
from posology.evaluation.off_policy.estimators import ESTIMATORS, OffPolicyData, summed_td_error
from posology.evaluation.off_policy.support import (
    Estimate,
    Refusal,
    ReportingRule,
    bootstrap_interval,
    effective_sample_size,
    estimate_value,
    patient_pseudo_values,
)


@given(st.integers(1, 50), st.floats(0.1, 10))
def test_equal_weights_have_the_full_effective_size(patients, weight):
    assert effective_sample_size(np.full(patients, weight)) == pytest.approx(patients)


def test_one_heavy_patient_has_effective_size_one():
    assert effective_sample_size(np.array([1.0, 0.0, 0.0])) == 1.0
    assert effective_sample_size(np.zeros(3)) == 0.0


def single_decisions(patients: int, target: float) -> OffPolicyData:
    """One decision each between two equally likely options, of which the first earns 1."""
    rng = np.random.default_rng(0)
    is_first = rng.random(patients) < 0.5
    logged = without_observations(
        np.where(is_first, 0, 1).astype(np.int32),
        np.where(is_first, 1.0, 0.0),
        np.full((patients, 2), 0.5),
        np.arange(patients + 1),
    )
    return OffPolicyData(logged, target=np.where(is_first, target, 1 - target))


def test_small_effective_size_is_refused_with_the_reason():
    result = estimate_value(single_decisions(60, 0.9), "wis", np.random.default_rng(0))
    assert isinstance(result, Refusal)
    assert result.reason.startswith("effective sample size")
    assert "of 60 patients is below 200: too few were treated as this policy" in result.reason


def test_unnormalised_estimates_are_refused_if_weights_do_not_average_one():
    data = single_decisions(2_000, 0.8)
    lost = replace(data, target=data.target * 0.5)
    result = estimate_value(lost, "is", np.random.default_rng(0))
    assert isinstance(result, Refusal)
    assert "importance weights average 0.5" in result.reason
    assert isinstance(estimate_value(lost, "wis", np.random.default_rng(0)), Estimate)
    assert isinstance(estimate_value(data, "is", np.random.default_rng(0)), Estimate)


def test_a_supported_estimate_has_an_interval():
    result = estimate_value(single_decisions(2_000, 0.8), "wis", np.random.default_rng(0))
    assert isinstance(result, Estimate)
    assert result.low < 0.8 < result.high
    assert result.value == pytest.approx(result.patient_values.mean())
    assert result.patients == 2_000


def test_the_occupancy_estimate_is_refused_by_its_own_weights():
    data = replace(single_decisions(2_000, 0.999), q=np.zeros(2_000), v=np.zeros(2_000))
    heavy = np.zeros(2_000)
    heavy[:40] = 50.0
    result = estimate_value(replace(data, occupancy=heavy), "odr", np.random.default_rng(0))
    assert isinstance(result, Refusal)
    assert result.effective_size == pytest.approx(40)


def test_the_direct_method_has_no_interval():
    bare = single_decisions(500, 0.6)
    data = replace(bare, q=bare.trajectories.reward, v=np.full(500, 0.6))
    result = estimate_value(data, "direct", np.random.default_rng(0))
    assert isinstance(result, Estimate)
    assert result.value == pytest.approx(0.6)
    assert np.isnan(result.low)
    assert np.isnan(result.high)


@pytest.mark.parametrize("method", ["bca", "studentised"])
def test_intervals_of_a_skewed_mean_cover_it(method):
    rng = np.random.default_rng(1)
    rule = ReportingRule(resamples=400, method=method)
    hits = 0
    for _round in range(300):
        low, high = bootstrap_interval(rng.exponential(size=60), rng, rule)
        hits += low < 1.0 < high
    assert 0.90 < hits / 300 < 0.985


def test_the_interval_of_a_constant_has_no_width():
    interval = bootstrap_interval(np.full(20, 0.4), np.random.default_rng(0), ReportingRule())
    assert interval == pytest.approx((0.4, 0.4))


def reviews(patients: int, each: int) -> OffPolicyData:
    """Patients with several reviews that all have the patient's outcome."""
    rng = np.random.default_rng(2)
    reward = np.repeat(rng.random(patients) < 0.5, each).astype(np.float64)
    count = patients * each
    patient = np.repeat(np.arange(patients), each)
    logged = without_observations(
        np.zeros(count, np.int32), reward, np.ones((count, 1)), np.arange(count + 1)
    )
    return OffPolicyData(logged, target=np.ones(count), patient=patient)


def test_intervals_resample_patients_not_reviews():
    data = reviews(400, 9)
    found = estimate_value(data, "wis", np.random.default_rng(0))
    naive = estimate_value(replace(data, patient=None), "wis", np.random.default_rng(0))
    once = bootstrap_interval(
        data.trajectories.reward[::9], np.random.default_rng(0), ReportingRule()
    )
    assert isinstance(found, Estimate)
    assert isinstance(naive, Estimate)
    assert found.value == pytest.approx(naive.value)
    assert (found.low, found.high) == pytest.approx(once, abs=1e-3)
    assert found.high - found.low > 2.5 * (naive.high - naive.low)
    assert (found.patients, found.effective_size) == (400, pytest.approx(400))


def test_pseudo_values_of_patients_keep_the_mean():
    data = replace(reviews(50, 4), patient=np.sort(np.arange(200) % 37))
    values = np.random.default_rng(0).normal(size=200)
    assert patient_pseudo_values(data, values).mean() == pytest.approx(values.mean())
    assert len(patient_pseudo_values(data, values)) == 37


def test_a_model_that_has_not_converged_is_refused():
    data = replace(single_decisions(500, 0.6), q=np.full(500, 0.1), v=np.full(500, 0.1))
    assert summed_td_error(data) > 0.5
    result = estimate_value(data, "direct", np.random.default_rng(0))
    assert isinstance(result, Refusal)
    assert "it does not fit, or has not converged" in result.reason


@pytest.mark.parametrize("estimator", ["is", "wis", "dr", "wdr"])
def test_an_episode_of_weight_two_counts_as_two(estimator):
    """Weights stand for those who were not followed to the end."""
    rng = np.random.default_rng(1)
    treatment = rng.integers(0, 2, 40).astype(np.int32)
    reward, target = rng.normal(size=40), rng.uniform(0.2, 0.8, 40)
    q, v = rng.normal(size=40), rng.normal(size=40)

    def data(episodes: np.ndarray, weight: np.ndarray | None) -> OffPolicyData:
        rows = (2 * episodes[:, None] + [0, 1]).ravel()  # two decisions each
        offsets = 2 * np.arange(len(episodes) + 1)
        half = np.full((len(rows), 2), 0.5)
        logged = without_observations(treatment[rows], reward[rows], half, offsets)
        return OffPolicyData(logged, target[rows], 0.9, q[rows], v[rows], weight=weight)

    once, twice = np.arange(20), np.append(np.arange(20), np.arange(5))
    weight = np.where(once < 5, 2.0, 1.0) / 1.25
    weighted = ESTIMATORS[estimator](data(once, weight))
    assert weighted.mean() == pytest.approx(ESTIMATORS[estimator](data(twice, None)).mean())
    same = ESTIMATORS[estimator](data(once, np.ones(20)))
    np.testing.assert_allclose(same, ESTIMATORS[estimator](data(once, None)))
