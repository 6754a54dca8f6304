"""Each score says of a decision what its name promises; a patient counts once a month."""

from dataclasses import replace

import numpy as np
import pytest

from posology.lifecycle.monitoring.monitor import INPUTS, MISSINGNESS
from posology.lifecycle.monitoring.observations import Observations
from posology.lifecycle.monitoring.reference import measure_reference, settle
from posology.lifecycle.monitoring.scores import (
    AGREEMENT,
    CONFIDENCE,
    EFFECTIVE,
    EFFECTIVE_IF_FOLLOWED,
    GIVEN,
    LEVEL,
    RECORDED,
    RESIDUAL,
    RESIDUAL_BINS,
    SPREAD,
    Score,
    count_scores,
    score_rows,
)

MIDDLE = tuple((np.arange(RESIDUAL_BINS) + 0.5) / RESIDUAL_BINS)


def observations() -> Observations:
    nan = np.nan
    return Observations(
        facts=("LAB", "SEX"),
        options=("a", "b"),
        patient=np.array([1, 1, 2, 3]),
        decided=np.array([0, 0, 0, 1]),
        followed=np.array([1, 1, 2, -1]),
        recorded=np.array([[True, False], [True, False], [False, True], [True, True]]),
        number=np.array([[1.0, nan], [5.0, nan], [nan, nan], [9.0, nan]]),
        given=np.array([0, 1, 1, -1]),
        first=np.array([0, 0, 1, 1]),
        predicted=np.array([0.9, 0.5, 0.2, nan]),
        effective=np.array([1.0, 0.0, 1.0, nan]),
    )


@pytest.mark.parametrize(
    ("score", "rows"),
    [
        (Score(RECORDED, "SEX"), [0, 0, 1, 1]),
        (Score(LEVEL, "LAB", (4.0, 8.0), (0.2, 0.5, 0.8)), [0, 1, -1, 2]),
        (Score(GIVEN, "b"), [0, 1, 1, -1]),
        (Score(AGREEMENT), [1, 0, 1, -1]),
        (Score(EFFECTIVE), [1, 0, 1, -1]),
        (Score(EFFECTIVE, "b"), [-1, 0, 1, -1]),
        (Score(EFFECTIVE_IF_FOLLOWED), [1, -1, 1, -1]),
    ],
)
def test_scores_by_hand(score: Score, rows: list[int]) -> None:
    assert score_rows(score, observations()).tolist() == rows


def test_residuals_are_outcome_minus_prediction() -> None:
    got = score_rows(Score(RESIDUAL, values=MIDDLE), observations())
    residual = [2 * MIDDLE[row] - 1 for row in got[:3]]
    assert residual == pytest.approx([0.1, -0.5, 0.8], abs=1.01 / RESIDUAL_BINS)
    sure = score_rows(Score(CONFIDENCE, values=MIDDLE), observations())
    assert [2 * MIDDLE[row] - 1 for row in sure[:3]] == pytest.approx(
        [0.1 * 0.8, 0.0, 0.8 * -0.6], abs=1.01 / RESIDUAL_BINS
    )
    assert got[3] == sure[3] == -1


def test_a_patient_counts_once_a_month_and_outcomes_when_they_are_known() -> None:
    assert count_scores(Score(RECORDED, "LAB"), observations(), 0, 2).tolist() == [[1, 1], [0, 1]]
    assert count_scores(Score(EFFECTIVE), observations(), 0, 3).tolist() == [[0, 0], [0, 1], [0, 1]]


def many(seed: int, n: int = 400) -> Observations:
    rng = np.random.default_rng(seed)
    number = np.stack([rng.normal(size=n), np.full(n, np.nan), np.full(n, np.nan)], axis=1)
    number[rng.random(n) < 0.3, 0] = np.nan
    recorded = np.stack([~np.isnan(number[:, 0]), rng.random(n) < 0.5, np.arange(n) < 3], axis=1)
    given, first = rng.integers(0, 2, n), rng.integers(0, 2, n)
    return Observations(
        facts=("LAB", "SEX", "RARE"),
        options=("a", "b"),
        patient=np.arange(n),
        decided=np.zeros(n, np.int64),
        followed=np.zeros(n, np.int64),
        recorded=recorded,
        number=number,
        given=given,
        first=first,
        predicted=rng.random(n),
        effective=(rng.random(n) < 0.6).astype(float),
    )


def test_the_reference_has_a_monitor_of_all_that_enough_patients_show() -> None:
    reference = measure_reference(many(0, 90), many(1, 60), {"LAB": "Laboratory", "a": "Option A"})
    by_name = {monitor.name: monitor for monitor in reference.monitors}
    assert by_name["Laboratory: recorded"].kind == MISSINGNESS
    assert by_name["SEX"].kind == INPUTS
    assert "Laboratory: level" in by_name
    assert "Option A: given" in by_name
    assert "RARE" not in by_name
    assert "Option A: effective" not in by_name, "about 45 patients got it"
    level = by_name["Laboratory: level"]
    values, counts = np.array(level.score.values), np.array(level.counts)
    assert values @ counts / counts.sum() == pytest.approx(0.5)
    spread = next(m for m in reference.monitors if m.score.what == SPREAD)
    assert max(spread.score.values) < 1


def test_settling_changes_only_what_depends_on_the_models_use() -> None:
    reference = measure_reference(many(0), many(1), {})
    months = replace(many(2), given=np.zeros(400, np.int64))
    settled = settle(reference, months)
    before, after = (
        {monitor.name: monitor.counts for monitor in one.monitors} for one in (reference, settled)
    )
    assert after["LAB: level"] == before["LAB: level"]
    assert after["a: given"] == (0, 400)
    assert "b: effective" not in after, "nobody got it in the months that settle"
