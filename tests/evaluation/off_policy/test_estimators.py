"""Off-policy estimators: identities, naive references, and truths that are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.evaluation.off_policy.estimators import (
    ESTIMATORS,
    Logged,
    consistent_weighted_per_decision,
    direct,
    doubly_robust,
    final_ratios,
    importance_sampling,
    occupancy_doubly_robust,
    per_decision,
    ratios,
    weighted_doubly_robust,
    weighted_importance_sampling,
)

seeds = st.integers(0, 10_000)
quick = settings(max_examples=30, deadline=None)


def logs(seed: int, subjects: int = 9, discount: float = 0.9) -> Logged:
    """Ragged episodes of 1 to 5 decisions with any numbers."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, size=subjects)
    n = int(counts.sum())
    return Logged(
        target=rng.uniform(0, 1, n),
        behaviour=rng.uniform(0.2, 1, n),
        reward=rng.normal(size=n),
        offsets=np.append(0, np.cumsum(counts)).astype(np.int64),
        discount=discount,
        q=rng.normal(size=n),
        v=rng.normal(size=n),
    )


def episodes(logged: Logged):
    for first, last in zip(logged.offsets[:-1], logged.offsets[1:], strict=True):
        yield slice(first, last)


@given(seeds)
@quick
def test_following_the_behaviour_gives_back_the_logged_mean(seed):
    logged = logs(seed)
    same = replace(logged, target=logged.behaviour.copy())
    total = [
        (logged.reward[e] * logged.discount ** np.arange(e.stop - e.start)).sum()
        for e in episodes(logged)
    ]
    for estimator in ("is", "wis", "pdis", "cwpdis"):
        assert ESTIMATORS[estimator](same).mean() == pytest.approx(np.mean(total), abs=1e-12)


@given(seeds)
@quick
def test_unbiased_estimators_are_those_of_a_loop(seed):
    logged = logs(seed)
    whole, stepwise, robust = [], [], []
    for e in episodes(logged):
        weight, total, by_step = 1.0, 0.0, 0.0
        corrected = logged.v[e.start]
        for age, row in enumerate(range(e.start, e.stop)):
            weight *= logged.target[row] / logged.behaviour[row]
            gain = logged.discount**age
            total += gain * logged.reward[row]
            by_step += gain * weight * logged.reward[row]
            then = logged.v[row + 1] if row + 1 < e.stop else 0.0
            corrected += gain * weight * (
                logged.reward[row] + logged.discount * then - logged.q[row]
            )  # fmt: skip
        whole.append(weight * total)
        stepwise.append(by_step)
        robust.append(corrected)
    assert np.allclose(importance_sampling(logged), whole)
    assert np.allclose(per_decision(logged), stepwise)
    assert np.allclose(doubly_robust(logged), robust)


@given(seeds)
@quick
def test_weighted_estimators_are_those_of_padded_arrays(seed):
    logged = logs(seed)
    n, steps = len(logged.offsets) - 1, 5
    weight, before = np.zeros((n, steps)), np.ones((n, steps))
    reward, q, v = np.zeros((n, steps)), np.zeros((n, steps)), np.zeros((n, steps))
    for row, e in enumerate(episodes(logged)):
        long = e.stop - e.start
        running = np.cumprod(logged.target[e] / logged.behaviour[e])
        weight[row] = np.append(running, np.full(steps - long, running[-1]))
        before[row, 1:] = weight[row, :-1]
        reward[row, :long], q[row, :long], v[row, :long] = (
            logged.reward[e], logged.q[e], logged.v[e]
        )  # fmt: skip
    gain = logged.discount ** np.arange(steps)
    total = (reward * gain).sum(axis=1)
    wis = (weight[:, -1] * total).sum() / weight[:, -1].sum()
    share, share_before = weight / weight.sum(axis=0), before / before.sum(axis=0)
    cwpdis = (gain * (share * reward).sum(axis=0)).sum()
    wdr = (gain * (share * (reward - q) + share_before * v).sum(axis=0)).sum()
    assert weighted_importance_sampling(logged).mean() == pytest.approx(wis)
    assert consistent_weighted_per_decision(logged).mean() == pytest.approx(cwpdis)
    assert weighted_doubly_robust(logged).mean() == pytest.approx(wdr)


@given(seeds)
@quick
def test_without_a_model_doubly_robust_is_per_decision(seed):
    nothing = replace(logs(seed), q=np.zeros_like(logs(seed).q), v=np.zeros_like(logs(seed).v))
    assert np.allclose(doubly_robust(nothing), per_decision(nothing))
    assert np.allclose(weighted_doubly_robust(nothing), consistent_weighted_per_decision(nothing))


@given(seeds)
@quick
def test_on_single_decisions_per_decision_is_whole_episode(seed):
    one = logs(seed)
    one = replace(one, offsets=np.arange(len(one.reward) + 1))
    assert np.allclose(per_decision(one), importance_sampling(one))
    assert np.allclose(consistent_weighted_per_decision(one), weighted_importance_sampling(one))


@given(seeds)
@quick
def test_with_a_perfect_model_doubly_robust_is_the_truth_for_every_patient(seed):
    logged = logs(seed)
    v = logged.v.copy()
    v[logged.offsets[:-1]] = 0.37  # the truth: the value before the first decision
    then = np.append(v[1:], 0.0)
    then[logged.offsets[1:] - 1] = 0.0
    perfect = replace(logged, v=v, q=logged.reward + logged.discount * then)
    assert np.allclose(doubly_robust(perfect), 0.37)
    assert np.allclose(direct(perfect), 0.37)


@given(seeds)
@quick
def test_on_single_decisions_occupancy_is_the_ratio(seed):
    one = logs(seed)
    one = replace(one, offsets=np.arange(len(one.reward) + 1))
    one = replace(one, occupancy=one.target / one.behaviour)
    assert np.allclose(occupancy_doubly_robust(one), doubly_robust(one))


def test_a_pseudo_value_is_the_change_when_a_patient_is_counted_more():
    logged = logs(5, subjects=40)
    for estimator in ("wis", "cwpdis", "wdr"):
        values = ESTIMATORS[estimator](logged)
        doubled = _with_twice(logged, 7, times=1)
        shift = ESTIMATORS[estimator](doubled).mean() - values.mean()
        assert shift == pytest.approx((values[7] - values.mean()) / 41, rel=0.2, abs=2e-3)


def _with_twice(logged: Logged, who: int, times: int) -> Logged:
    order = [*range(len(logged.offsets) - 1), *([who] * times)]
    rows = np.concatenate([np.arange(logged.offsets[i], logged.offsets[i + 1]) for i in order])
    counts = np.diff(logged.offsets)[order]
    return Logged(
        logged.target[rows], logged.behaviour[rows], logged.reward[rows],
        np.append(0, np.cumsum(counts)).astype(np.int64), logged.discount,
        logged.q[rows], logged.v[rows],
    )  # fmt: skip


def test_weights_start_anew_with_every_patient():
    logged = logs(1)
    assert ratios(logged)[logged.offsets[1]] == pytest.approx(
        logged.target[logged.offsets[1]] / logged.behaviour[logged.offsets[1]]
    )
    first = slice(0, logged.offsets[1])
    assert final_ratios(logged)[0] == pytest.approx(
        np.prod(logged.target[first] / logged.behaviour[first])
    )


def test_a_missing_model_is_an_error_not_a_zero():
    bare = replace(logs(2), q=None, v=None)
    for estimator in (direct, doubly_robust, weighted_doubly_robust):
        with pytest.raises(ValueError, match="need q and v at every decision"):
            estimator(bare)


def test_where_nobody_was_treated_so_the_weighted_estimates_are_unknown():
    none = replace(logs(3), target=np.zeros_like(logs(3).target))
    assert np.isnan(weighted_importance_sampling(none)).all()
    assert np.isnan(consistent_weighted_per_decision(none)).all()
