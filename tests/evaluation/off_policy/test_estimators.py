"""Off-policy estimators: identities, naive references and known truths."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.trajectories import (
    Trajectories,
    select_episodes,
    without_observations,
)
from posology.evaluation.off_policy.estimators import (
    ESTIMATORS,
    OffPolicyData,
    consistent_weighted_per_decision,
    cumulative_ratios,
    direct,
    doubly_robust,
    episode_weights,
    importance_sampling,
    occupancy_doubly_robust,
    per_decision,
    weighted_doubly_robust,
    weighted_importance_sampling,
)

seeds = st.integers(0, 10_000)
quick = settings(max_examples=30, deadline=None)


def random_data(seed: int, subjects: int = 9, discount: float = 0.9) -> OffPolicyData:
    """Ragged episodes of 1 to 5 decisions with random numbers."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, size=subjects)
    n = int(counts.sum())
    target, behaviour = rng.uniform(0, 1, n), rng.uniform(0.2, 1, n)
    offsets = np.append(0, np.cumsum(counts)).astype(np.int64)
    return OffPolicyData(
        episodes_of(behaviour, rng.normal(size=n), offsets),
        target=target,
        discount=discount,
        q=rng.normal(size=n),
        v=rng.normal(size=n),
    )


def episodes_of(behaviour: np.ndarray, reward: np.ndarray, offsets: np.ndarray) -> Trajectories:
    """Episodes in which the only treatment has these behaviour probabilities."""
    treatment = np.zeros(len(reward), np.int32)
    return without_observations(treatment, reward, behaviour[:, None], offsets)


def single_decisions(data: OffPolicyData) -> OffPolicyData:
    """The same decisions, each an episode of its own."""
    logged = data.trajectories
    offsets = np.arange(len(logged.reward) + 1)
    return replace(
        data, trajectories=episodes_of(logged.logged_probability, logged.reward, offsets)
    )


def episode_slices(data: OffPolicyData):
    offsets = data.trajectories.offsets
    for first, last in itertools.pairwise(offsets):
        yield slice(first, last)


@given(seeds)
@quick
def test_the_behaviour_policy_has_the_logged_mean(seed):
    data = random_data(seed)
    same = replace(data, target=data.trajectories.logged_probability.copy())
    total = [
        (data.trajectories.reward[e] * data.discount ** np.arange(e.stop - e.start)).sum()
        for e in episode_slices(data)
    ]
    for estimator in ("is", "wis", "pdis", "cwpdis"):
        assert ESTIMATORS[estimator](same).mean() == pytest.approx(np.mean(total), abs=1e-12)


@given(seeds)
@quick
def test_unbiased_estimators_equal_a_naive_loop(seed):
    data = random_data(seed)
    whole, stepwise, robust = [], [], []
    for e in episode_slices(data):
        weight, total, by_step = 1.0, 0.0, 0.0
        corrected = data.v[e.start]
        for age, row in enumerate(range(e.start, e.stop)):
            weight *= data.target[row] / data.trajectories.logged_probability[row]
            gain = data.discount**age
            total += gain * data.trajectories.reward[row]
            by_step += gain * weight * data.trajectories.reward[row]
            then = data.v[row + 1] if row + 1 < e.stop else 0.0
            corrected += (
                gain * weight * (data.trajectories.reward[row] + data.discount * then - data.q[row])
            )
        whole.append(weight * total)
        stepwise.append(by_step)
        robust.append(corrected)
    assert np.allclose(importance_sampling(data), whole)
    assert np.allclose(per_decision(data), stepwise)
    assert np.allclose(doubly_robust(data), robust)


@given(seeds)
@quick
def test_weighted_estimators_equal_padded_arrays(seed):
    data = random_data(seed)
    n, steps = len(data.trajectories), 5
    weight, before = np.zeros((n, steps)), np.ones((n, steps))
    reward, q, v = np.zeros((n, steps)), np.zeros((n, steps)), np.zeros((n, steps))
    for row, e in enumerate(episode_slices(data)):
        long = e.stop - e.start
        running = np.cumprod(data.target[e] / data.trajectories.logged_probability[e])
        weight[row] = np.append(running, np.full(steps - long, running[-1]))
        before[row, 1:] = weight[row, :-1]
        reward[row, :long], q[row, :long], v[row, :long] = (
            data.trajectories.reward[e],
            data.q[e],
            data.v[e],
        )
    gain = data.discount ** np.arange(steps)
    total = (reward * gain).sum(axis=1)
    wis = (weight[:, -1] * total).sum() / weight[:, -1].sum()
    share, share_before = weight / weight.sum(axis=0), before / before.sum(axis=0)
    cwpdis = (gain * (share * reward).sum(axis=0)).sum()
    wdr = (gain * (share * (reward - q) + share_before * v).sum(axis=0)).sum()
    assert weighted_importance_sampling(data).mean() == pytest.approx(wis)
    assert consistent_weighted_per_decision(data).mean() == pytest.approx(cwpdis)
    assert weighted_doubly_robust(data).mean() == pytest.approx(wdr)


@given(seeds)
@quick
def test_doubly_robust_without_a_model_equals_per_decision(seed):
    nothing = replace(
        random_data(seed),
        q=np.zeros_like(random_data(seed).q),
        v=np.zeros_like(random_data(seed).v),
    )
    assert np.allclose(doubly_robust(nothing), per_decision(nothing))
    assert np.allclose(weighted_doubly_robust(nothing), consistent_weighted_per_decision(nothing))


@given(seeds)
@quick
def test_per_decision_equals_importance_sampling_on_single_decisions(seed):
    one = single_decisions(random_data(seed))
    assert np.allclose(per_decision(one), importance_sampling(one))
    assert np.allclose(consistent_weighted_per_decision(one), weighted_importance_sampling(one))


@given(seeds)
@quick
def test_doubly_robust_with_a_perfect_model_is_the_truth_for_every_patient(seed):
    data = random_data(seed)
    v = data.v.copy()
    v[data.trajectories.offsets[:-1]] = 0.37  # the truth: the value before the first decision
    then = np.append(v[1:], 0.0)
    then[data.trajectories.offsets[1:] - 1] = 0.0
    perfect = replace(data, v=v, q=data.trajectories.reward + data.discount * then)
    assert np.allclose(doubly_robust(perfect), 0.37)
    assert np.allclose(direct(perfect), 0.37)


@given(seeds)
@quick
def test_occupancy_estimate_equals_doubly_robust_on_single_decisions(seed):
    one = single_decisions(random_data(seed))
    one = replace(one, occupancy=one.target / one.trajectories.logged_probability)
    assert np.allclose(occupancy_doubly_robust(one), doubly_robust(one))


def test_a_pseudo_value_is_the_change_when_a_patient_is_counted_twice():
    data = random_data(5, subjects=40)
    for estimator in ("wis", "cwpdis", "wdr"):
        values = ESTIMATORS[estimator](data)
        doubled = _with_twice(data, 7, times=1)
        shift = ESTIMATORS[estimator](doubled).mean() - values.mean()
        assert shift == pytest.approx((values[7] - values.mean()) / 41, rel=0.2, abs=2e-3)


def _with_twice(data: OffPolicyData, who: int, times: int) -> OffPolicyData:
    order = np.array([*range(len(data.trajectories)), *([who] * times)])
    offsets = data.trajectories.offsets
    rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in order])
    return OffPolicyData(
        select_episodes(data.trajectories, order),
        target=data.target[rows],
        discount=data.discount,
        q=data.q[rows],
        v=data.v[rows],
    )


def test_weights_restart_with_every_patient():
    data = random_data(1)
    assert cumulative_ratios(data)[data.trajectories.offsets[1]] == pytest.approx(
        data.target[data.trajectories.offsets[1]]
        / data.trajectories.logged_probability[data.trajectories.offsets[1]]
    )
    first = slice(0, data.trajectories.offsets[1])
    assert episode_weights(data)[0] == pytest.approx(
        np.prod(data.target[first] / data.trajectories.logged_probability[first])
    )


def test_a_missing_model_is_an_error():
    bare = replace(random_data(2), q=None, v=None)
    for estimator in (direct, doubly_robust, weighted_doubly_robust):
        with pytest.raises(ValueError, match="need q and v at every decision"):
            estimator(bare)


def test_weighted_estimates_are_nan_if_all_weights_are_zero():
    none = replace(random_data(3), target=np.zeros_like(random_data(3).target))
    assert np.isnan(weighted_importance_sampling(none)).all()
    assert np.isnan(consistent_weighted_per_decision(none)).all()
