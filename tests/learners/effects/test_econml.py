import numpy as np
import pytest

from posology.causal.trial import Trial
from posology.domain.policy import Policy, allow_all_treatments
from posology.learners.effects.econml import ECONML_MODELS, EconmlLearner, fit_econml
from tests.builders.small_cohorts import small_cohort

pytest.importorskip("econml", reason="EconML is an optional extra")


@pytest.mark.parametrize("model", ECONML_MODELS)
def test_each_model_is_a_policy_that_keeps_to_what_is_allowed(model: str) -> None:
    train, test = small_cohort(1, 240, best_known=False), small_cohort(2, 60, best_known=False)
    policy = EconmlLearner(model).fit(train, train)
    assert isinstance(policy, Policy)
    allowed = allow_all_treatments(test.last_step, policy.formulary)
    allowed[::2, 0] = False
    said = policy.choice_probabilities(test.history, test.last_step, allowed)
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    assert (said[~allowed] == 0).all()
    assert np.isnan(policy.predict_doses(test.history, test.last_step, allowed).overall).all()


def test_an_unknown_model_is_named_with_the_known_ones() -> None:
    trial = Trial(np.zeros((4, 1)), np.zeros(4, np.int64), np.zeros(4), np.arange(4), 2)
    with pytest.raises(ValueError, match="'bart': choose one of causal_forest"):
        fit_econml("bart", trial, 0)
