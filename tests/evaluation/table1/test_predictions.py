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
from tests.evaluation import synthetic


@dataclass(frozen=True)
class Echo:
    """Two members that answer from the decision's own step, 0.1 and 10 mg apart."""

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


def test_members_become_mean_and_spread(rng):
    cohort = synthetic.cohort(rng, 23)
    policy = echo(cohort)
    assert isinstance(policy, Policy)
    said = predict_cohort(policy, cohort)
    assert np.allclose(said.effectiveness[:, 0], cohort.last_step % 5 / 10 + 0.15)
    assert np.allclose(said.member_std, 0.05)
    assert np.allclose(said.dose, cohort.last_step + 25.0)
    assert np.allclose(said.dose_low, cohort.last_step + 20.25)
    assert np.allclose(said.dose_high, cohort.last_step + 29.75)


def test_batches_do_not_matter_and_the_mask_is_passed_on(rng):
    cohort = synthetic.cohort(rng, 23)
    allowed = np.ones((23, 3), bool)
    allowed[::2, 1] = False
    whole = predict_cohort(echo(cohort), cohort, allowed)
    by_seven = predict_cohort(echo(cohort), cohort, allowed, batch=7)
    for f in fields(whole):
        assert np.array_equal(getattr(whole, f.name), getattr(by_seven, f.name))
    assert (whole.probabilities[::2, 1] == 0).all()


def test_folds_are_pooled_in_order_or_put_back_where_they_belong(rng):
    cohort = synthetic.cohort(rng, 30)
    whole = predict_cohort(echo(cohort), cohort)
    fold = rng.integers(0, 3, 30)
    rows = [np.flatnonzero(fold == f) for f in range(3)]
    parts = [select_predictions(whole, fold == f) for f in range(3)]
    assert np.array_equal(concatenate_predictions(parts).dose, whole.dose[np.concatenate(rows)])
    assert np.array_equal(concatenate_predictions(parts, rows).dose, whole.dose)
    assert np.array_equal(concatenate_predictions(parts, rows).effectiveness, whole.effectiveness)


def test_a_policy_that_is_not_asked_for_doses_answers_nan(rng):
    cohort = synthetic.cohort(rng, 5)

    class Silent(Echo):
        def predict_doses(self, history, decisions, allowed):
            nothing = np.full(allowed.shape, np.nan)
            return Doses(nothing, nothing[:, :1])

    said = predict_cohort(Silent(cohort.study.formulary, cohort.profile), cohort)
    assert np.isnan(said.dose).all()
    assert np.isnan(said.dose_low).all()
