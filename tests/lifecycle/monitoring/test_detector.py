"""The evidence is a wager that cannot be won without a change, and it grows with one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from posology.lifecycle.monitoring.detector import (
    MONTHS_PER_FALSE_ALARM,
    make_detector,
    name_alarm,
    weigh_months,
)
from posology.lifecycle.monitoring.monitor import (
    CALIBRATION,
    INPUTS,
    MISSINGNESS,
    RANK_VARIANCE,
    VALUE,
    Monitor,
    find_limits,
)
from posology.lifecycle.monitoring.scores import EFFECTIVE_IF_FOLLOWED, LEVEL, RECORDED, Score

BINS = 20
RANKS = tuple((np.arange(BINS) + 0.5) / BINS)


def level(patients: int) -> Monitor:
    score = Score(LEVEL, "lab", (), RANKS)
    return Monitor("lab", INPUTS, score, (patients // BINS,) * BINS, patients, RANK_VARIANCE)


def share(patients: int, part: float, kind: str = MISSINGNESS) -> Monitor:
    yes = round(part * patients)
    return Monitor("share", kind, Score(RECORDED, "x"), (patients - yes, yes), patients)


MONITORS = (level(3000), share(3000, 0.3), share(3000, 1.0), share(300, 0.02, CALIBRATION))


@given(
    raw=st.lists(st.floats(0, 1), min_size=BINS, max_size=BINS).filter(lambda x: sum(x) > 0.01),
    data=st.data(),
)
def test_no_bet_gains_on_any_distribution_within_the_limits(
    raw: list[float], data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(MONITORS) - 1))
    detector, monitor = make_detector(MONITORS), MONITORS[row]
    values = np.array(monitor.score.values)
    p = np.array(raw[: len(values)]) + 1e-9
    p /= p.sum()
    limits = detector.limits[row]
    for end, edge in ((0, limits.low), (-1, limits.high)):
        mean = p @ values
        if not limits.low <= mean <= limits.high:  # mix in one end until the mean is at the limit
            weight = np.clip((edge - mean) / (values[end] - mean), 0, 1)
            p = (1 - weight) * p
            p[end] += weight
    if not limits.low <= p @ values <= limits.high:
        return
    expected = np.exp(detector.log_factor[row, :, :, : len(values)]) @ p
    assert (expected <= 1 + 1e-9).all()


def test_weights_sum_to_a_thousandth_and_kinds_share_equally() -> None:
    detector = make_detector(MONITORS)
    weight = np.exp(detector.log_weight).sum(axis=(1, 2)) * MONTHS_PER_FALSE_ALARM
    assert weight.sum() == pytest.approx(1)
    assert weight[1] + weight[2] == pytest.approx(1 / 3)


def test_a_fact_that_was_always_recorded_is_judged_from_one_side() -> None:
    detector = make_detector([share(3000, 1.0)])
    assert np.isneginf(detector.log_weight[0, 0]).all()
    assert np.isfinite(detector.log_weight[0, 1]).all()


def test_only_a_fall_of_value_counts() -> None:
    score = Score(EFFECTIVE_IF_FOLLOWED)
    value = Monitor("value", VALUE, score, (500, 500), 1000, is_only_lower=True)
    detector = make_detector([value])
    rose = weigh_months(detector, np.array([[[100.0, 900.0]]]))
    fell = weigh_months(detector, np.array([[[900.0, 100.0]]]))
    assert not rose.is_alarm.any()
    assert fell.is_alarm.all()


def test_evidence_is_the_sum_of_bets_started_in_every_month() -> None:
    rng = np.random.default_rng(1)
    detector = make_detector([level(3000)])
    counts = rng.multinomial(80, [1 / BINS] * BINS, (5, 1)).astype(float)
    got = weigh_months(detector, counts).total
    factor, weight = np.exp(detector.log_factor[0]), np.exp(detector.log_weight[0])
    for month in range(5):
        naive = 0.0
        for start in range(month + 1):
            together = counts[start : month + 1, 0].sum(axis=0)
            naive += (weight * np.prod(factor**together, axis=2)).sum()
        assert got[month] == pytest.approx(naive, rel=1e-9)


def test_a_month_without_scores_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    detector = make_detector([level(3000)])
    counts = rng.multinomial(80, [1 / BINS] * BINS, (3, 1)).astype(float)
    gap = np.insert(counts, 1, 0.0, axis=0)
    assert weigh_months(detector, gap).total[[0, 2, 3]] == pytest.approx(
        weigh_months(detector, counts).total
    )


def test_after_an_alarm_evidence_starts_from_nothing() -> None:
    detector = make_detector([level(3000)])
    shifted, same = np.zeros((1, BINS)), np.full((1, BINS), 50.0)
    shifted[0, -1] = 1000
    evidence = weigh_months(detector, np.stack([shifted, same]))
    alone = weigh_months(detector, same[None])
    assert list(evidence.is_alarm) == [True, False]
    assert evidence.total[1] == pytest.approx(alone.total[0])


def test_half_a_standard_deviation_is_found_within_two_months() -> None:
    rng = np.random.default_rng(3)
    monitors = [level(3000), *(share(3000, 0.5) for _ in range(40))]
    detector, cuts = make_detector(monitors), norm.ppf(np.arange(1, BINS) / BINS)
    shifted = np.diff(np.r_[0, norm.cdf(cuts - 0.5), 1])
    found = 0
    for _ in range(20):
        counts = np.zeros((2, len(monitors), BINS))
        counts[:, 0] = rng.multinomial(1000, shifted, 2)
        counts[:, 1:, :2] = rng.multinomial(1000, [0.5, 0.5], (2, 40))
        evidence = weigh_months(detector, counts)
        found += evidence.is_alarm.any()
        if evidence.is_alarm.any():
            month = evidence.is_alarm.argmax()
            assert name_alarm(evidence.by_monitor[month].sum(axis=1)) == [0]
    assert found >= 19


@pytest.mark.parametrize("patients", [100, 100_000])
def test_a_drift_as_large_as_the_tolerance_does_not_alarm(patients: int) -> None:
    rng = np.random.default_rng(4)
    reference = share(2000, 0.4)
    detector = make_detector([reference])
    edge = detector.limits[0].high
    yes = rng.binomial(patients, edge, (300, 1))
    counts = np.stack([patients - yes, yes], axis=2).astype(float)
    assert weigh_months(detector, counts).is_alarm.sum() <= 2


def test_the_fewest_monitors_that_make_the_alarm_are_named() -> None:
    assert name_alarm(np.array([0.2, 5.0, 0.1])) == [1]
    assert name_alarm(np.array([0.6, 5.0, 0.6])) == [1, 0]
    assert name_alarm(np.array([0.3, 0.2])) == []


def test_limits_hold_the_truth_and_narrow_with_the_reference() -> None:
    rng = np.random.default_rng(5)
    misses = 0
    for _ in range(300):
        yes = rng.binomial(200, 0.3)
        limits = find_limits(
            Monitor("x", INPUTS, Score(RECORDED, "x"), (200 - yes, yes), 200, tolerance=1.0), 0.05
        )
        misses += not limits.low <= 0.3 <= limits.high
    assert misses <= 15
    narrow, wide = find_limits(level(20_000), 1e-5), find_limits(level(400), 1e-5)
    assert wide.low < narrow.low < 0.45
    assert narrow.high < wide.high
    assert find_limits(level(10**9), 1e-5).high == pytest.approx(1.25 / 2.25, abs=1e-3)
