from dataclasses import dataclass, fields

import numpy as np

from posology.domain.formulary import Formulary
from posology.domain.policy import Doses, Policy
from posology.domain.profile import Profile
from posology.evaluation.table1.predictions import (
    concatenate_predictions,
    predict_cohort,
    select_predictions,
)
from tests.builders import scored_cohorts


@dataclass(frozen=True)
class Echo:
    """Two members that predict from the decision's own step, 0.1 and 10 mg apart."""

    formulary: Formulary
    profile: Profile

    def predict_effectiveness(self, history, decisions, allowed):
        p = allowed * (decisions[:, None] % 5 + 1.0) / 10
        return np.stack([p, p + 0.1 * allowed], axis=2)

    def choice_probabilities(self, history, decisions, allowed):
        return allowed / allowed.sum(axis=1, keepdims=True)

    def predict_doses(self, history, decisions, allowed):
        overall = decisions[:, None] + np.array([20.0, 30.0])
        return Doses(np.full(allowed.shape, np.nan), overall)


def echo(cohort):
    return Echo(cohort.study.formulary, cohort.profile)


def test_members_become_mean_and_standard_deviation(rng):
    cohort = scored_cohorts.make_cohort(rng, 23)
    policy = echo(cohort)
    assert isinstance(policy, Policy)
    predictions = predict_cohort(policy, cohort)
    assert np.allclose(predictions.effectiveness[:, 0], cohort.last_step % 5 / 10 + 0.15)
    assert np.allclose(predictions.member_std, 0.05)
    assert np.allclose(predictions.dose, cohort.last_step + 25.0)
    assert np.allclose(predictions.dose_low, cohort.last_step + 20.25)
    assert np.allclose(predictions.dose_high, cohort.last_step + 29.75)


def test_batch_size_does_not_matter_and_the_mask_reaches_the_policy(rng):
    cohort = scored_cohorts.make_cohort(rng, 23)
    allowed = np.ones((23, 3), bool)
    allowed[::2, 1] = False
    whole = predict_cohort(echo(cohort), cohort, allowed)
    by_seven = predict_cohort(echo(cohort), cohort, allowed, batch=7)
    for f in fields(whole):
        assert np.array_equal(getattr(whole, f.name), getattr(by_seven, f.name))
    assert (whole.probabilities[::2, 1] == 0).all()


def test_folds_are_joined_in_order_or_by_row_number(rng):
    cohort = scored_cohorts.make_cohort(rng, 30)
    whole = predict_cohort(echo(cohort), cohort)
    fold = rng.integers(0, 3, 30)
    rows = [np.flatnonzero(fold == f) for f in range(3)]
    parts = [select_predictions(whole, fold == f) for f in range(3)]
    assert np.array_equal(concatenate_predictions(parts).dose, whole.dose[np.concatenate(rows)])
    assert np.array_equal(concatenate_predictions(parts, rows).dose, whole.dose)
    assert np.array_equal(concatenate_predictions(parts, rows).effectiveness, whole.effectiveness)


def test_a_policy_without_doses_predicts_nan(rng):
    cohort = scored_cohorts.make_cohort(rng, 5)

    class WithoutDoses(Echo):
        def predict_doses(self, history, decisions, allowed):
            no_dose = np.full(allowed.shape, np.nan)
            return Doses(no_dose, no_dose[:, :1])

    predictions = predict_cohort(WithoutDoses(cohort.study.formulary, cohort.profile), cohort)
    assert np.isnan(predictions.dose).all()
    assert np.isnan(predictions.dose_low).all()
