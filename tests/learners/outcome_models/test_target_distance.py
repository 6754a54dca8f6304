"""Models of the margin: what matters is told from what does not, and doses are asked about."""

import numpy as np
import pytest

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.policy import allow_all_treatments
from posology.learners.baselines import baselines
from posology.learners.outcome_models.ard_ridge import LeastSquaresMoments, fit_ard_ridge
from posology.learners.outcome_models.dose_boosting import DoseBoostingLearner
from posology.learners.outcome_models.dose_ridge import DoseRidgeLearner
from posology.learners.outcome_models.target_distance import (
    EffectivenessLink,
    TreatedDecisions,
    evaluate_dose_grid,
    fit_effectiveness_link,
)
from posology.learners.outcome_models.treatment_interactions import (
    fit_treatment_interactions,
    predict_treated,
)
from tests.builders.policies import with_option_doses
from tests.builders.synthetic_iwpc import cohort as make_cohort

LEVELS = ((1.0, 2.0, 4.0), (10.0, 20.0))


def test_columns_that_do_not_matter_are_switched_off() -> None:
    rng = np.random.default_rng(0)
    X, truth = rng.normal(size=(600, 60)), np.zeros(60)
    truth[:3] = 1.0, -0.5, 0.5
    y = X @ truth + rng.normal(size=600)
    moments = LeastSquaresMoments(X.T @ X, X.T @ y, float(y @ y), 600.0)
    found, variance = fit_ard_ridge(moments, np.arange(60))
    alike = np.linalg.solve(moments.gram + 30 * np.eye(60), moments.cross)
    assert np.square(found - truth).sum() < 0.5 * np.square(alike - truth).sum()
    assert variance[:3].min() > 10 * variance[3:].max()


def test_a_free_weight_is_not_shrunk_and_a_weighted_row_counts_by_its_weight() -> None:
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(50), rng.normal(size=50)])
    y, w = X @ [100.0, 0.0] + rng.normal(size=50), rng.uniform(0.1, 2, 50)
    moments = LeastSquaresMoments(
        X.T @ (X * w[:, None]), X.T @ (w * y), float((w * y * y).sum()), w.sum()
    )
    found, _ = fit_ard_ridge(moments, np.array([-1, 0]))
    assert found[0] == pytest.approx(np.average(y, weights=w), abs=0.1)


def _given(rng: np.random.Generator, count: int) -> tuple[np.ndarray, TreatedDecisions]:
    """Option 1 is better where the first column is high; doses raise both."""
    X = rng.normal(size=(count, 8))
    k, shift = rng.integers(0, 2, count), rng.choice([-1.0, 0.0, 1.0], count)
    y = 3 * X[:, 1] + np.where(k == 1, X[:, 0], 0.5) + shift + rng.normal(size=count)
    return X, TreatedDecisions(np.arange(count), k, shift, y, np.ones(count))


def test_differences_are_told_from_what_patients_differ_in_anyway() -> None:
    X, known = _given(np.random.default_rng(2), 4_000)
    told = fit_treatment_interactions(X, known, 2)
    np.testing.assert_allclose(told.weights[1], [3, 3], atol=0.1)
    np.testing.assert_allclose(told.weights[0], [0, 1], atol=0.1)
    np.testing.assert_allclose(told.intercept, [0.5, 0], atol=0.15)
    np.testing.assert_allclose(told.slope, [1, 1], atol=0.1)
    left = known.target - predict_treated(told, X, known)
    assert left.var() == pytest.approx(1.0, abs=0.05)


def test_the_chance_is_read_off_where_options_are_stopped_more_at_larger_doses() -> None:
    rng = np.random.default_rng(3)
    _, known = _given(rng, 20_000)
    margin, stopped = rng.normal(size=20_000), np.where(known.treatment == 1, known.shift, 0.0)
    truth = 1 / (1 + np.exp(-(2 * margin - stopped)))
    seen = TreatedDecisions(known.row, known.treatment, known.shift,
                 (rng.random(20_000) < truth).astype(float), known.weight)  # fmt: skip
    found = fit_effectiveness_link(margin, seen, 2)
    assert found.scale == pytest.approx(2.0, abs=0.1)
    np.testing.assert_allclose(found.slope, [0, -1], atol=0.1)
    np.testing.assert_allclose(found.intercept, 0, atol=0.1)


def test_every_option_is_asked_at_its_own_levels() -> None:
    margins = evaluate_dose_grid(LEVELS, lambda k, shift: np.array([10.0 * k + shift]), 1)
    np.testing.assert_allclose(margins[0], [[-1, 0, 1], [9.5, 10.5, np.nan]])
    p = EffectivenessLink(1.0, np.zeros(2), np.array([0.0, -2.0])).probability(margins, LEVELS)
    np.testing.assert_allclose(p[0, 1, :2], 1 / (1 + np.exp(-np.array([10.5, 9.5]))))


def test_both_find_the_option_of_each_patient_and_stand_in_the_lineup() -> None:
    cohort = make_cohort()
    train, validation = (
        with_option_doses(select_split(cohort, TRAIN)),
        with_option_doses(select_split(cohort, VALIDATION)),
    )
    names = [name for name, _ in baselines(train, validation)]
    assert names[-2:] == ["ridge_margin", "boosting_margin"]
    assert "ridge_margin" not in [
        name for name, _ in baselines(*[select_split(cohort, s) for s in (0, 1)])
    ]
    best = select_split(cohort, VALIDATION).best_treatment
    allowed = allow_all_treatments(validation.last_step, validation.study.formulary)
    for learner in (DoseRidgeLearner(), DoseBoostingLearner(max_rounds=120)):
        policy = learner.fit(train, validation)
        said = policy.predict_effectiveness(validation.history, validation.last_step, allowed)
        known = best >= 0
        assert (said[known, :, 0].argmax(1) == best[known]).mean() > 0.7
