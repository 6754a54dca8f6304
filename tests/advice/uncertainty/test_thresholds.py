from dataclasses import replace

import numpy as np

from posology.advice.uncertainty.thresholds import (
    MIN_GROUP,
    GroupMargin,
    Groups,
    Thresholds,
    conformal_quantile,
    fit_margins,
    fit_thresholds,
    thresholds_of,
)


def test_the_quantile_has_the_finite_sample_correction() -> None:
    scores = np.arange(1.0, 10.0)
    assert conformal_quantile(scores, 0.8) == 8.0  # ceil(0.8 * 10)
    assert conformal_quantile(scores[:4], 0.8) == 4.0
    assert conformal_quantile(scores[:3], 0.8) is None


def test_infinite_scores_leave_no_threshold() -> None:
    assert conformal_quantile(np.array([1.0, 2.0, 3.0, np.inf, np.inf]), 0.8) is None
    assert conformal_quantile(np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.inf]), 0.5) == 4.0


def test_each_part_of_new_patients_is_covered() -> None:
    """300 draws of 60 patients; 80 % within 3 standard errors (7 points) in either part."""
    rng, inside = np.random.default_rng(0), []
    part = np.repeat([0, 1], 30)
    for _ in range(300):
        scores = rng.exponential(np.where(part == 0, 1.0, 5.0))
        found = fit_thresholds(scores, part, 2, 0.8)
        inside.append(rng.exponential([1.0, 5.0]) <= np.array(found.parts))
    assert np.abs(np.mean(inside, axis=0) - 0.8).max() < 0.07


def test_a_group_that_is_covered_too_rarely_gets_a_margin() -> None:
    rng = np.random.default_rng(1)
    member = np.arange(1000) < 200
    scores = rng.exponential(np.where(member, 3.0, 1.0))
    groups = (("RACE//Black", "SEX//female"), np.column_stack([member, np.arange(1000) % 2 == 0]))
    found = with_margins(scores, groups)
    assert [one.group for one in found.groups] == ["RACE//Black"]
    limits = thresholds_of(found, groups)[:, 0]
    assert (scores[~member] <= limits[~member]).mean() > 0.8
    assert 0.8 <= (scores[member] <= limits[member]).mean() < 0.82
    common = found.parts[0]
    assert common is not None
    assert (scores[member] <= common).mean() < 0.65


def with_margins(scores: np.ndarray, groups: Groups) -> Thresholds:
    found = fit_thresholds(scores, np.zeros(len(scores), dtype=np.int64), 1, 0.8)
    limit = found.parts[0] or 0.0
    margins = fit_margins(groups, 0.8, lambda margin: scores <= limit + margin)
    return replace(found, groups=margins)


def test_a_group_of_fewer_than_eight_gets_no_margin() -> None:
    scores = np.append(np.linspace(0, 1, 100), np.full(MIN_GROUP - 1, 9.0))
    member = (scores == 9.0)[:, None]
    assert with_margins(scores, (("RACE//Black",), member)).groups == ()
    scores = np.append(scores, 9.0)
    assert with_margins(scores, (("RACE//Black",), (scores == 9.0)[:, None])).groups


def test_a_group_that_is_not_known_of_the_patient_adds_nothing() -> None:
    found = with_margins(np.arange(10.0), ((), np.zeros((10, 0), dtype=bool)))
    found = replace(found, groups=(GroupMargin("RACE//Black", 2.0, 20),))
    assert thresholds_of(found, (("SEX//male",), np.ones((1, 1), dtype=bool)))[0, 0] == 8.0


def test_a_part_without_threshold_keeps_everything() -> None:
    found = fit_thresholds(np.ones(10), np.array([0] * 8 + [1] * 2), 2, 0.8)
    assert found.parts == (1.0, None)
    assert thresholds_of(found, ((), np.zeros((1, 0), dtype=bool))).tolist() == [[1.0, np.inf]]
