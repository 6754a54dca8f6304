"""Models of the target distance and the policy that takes the best dose of the best option."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.policy import allow_all_treatments
from posology.errors import UserError
from posology.learners.baselines import baselines
from posology.learners.methods import build_learner
from posology.learners.outcome_models.dose_boosting import DoseBoostingLearner
from posology.learners.outcome_models.dose_grid_policy import (
    EffectivenessLink,
    evaluate_dose_grid,
    fit_effectiveness_link,
)
from posology.learners.outcome_models.dose_ridge import DoseRidgeLearner
from posology.learners.outcome_models.target_distance import TreatedDecisions
from posology.learners.outcome_models.treatment_interactions import (
    fit_treatment_interactions,
    predict_treated,
)
from tests.builders.policies import with_option_doses
from tests.builders.synthetic_iwpc import cohort as synthetic_iwpc

LEVELS = ((1.0, 2.0, 4.0), (10.0, 20.0))


def treated_sample(rng: np.random.Generator, count: int) -> tuple[np.ndarray, TreatedDecisions]:
    """Option 1 is better where the first column is high; doses raise both."""
    X = rng.normal(size=(count, 8))
    k, shift = rng.integers(0, 2, count), rng.choice([-1.0, 0.0, 1.0], count)
    y = 3 * X[:, 1] + np.where(k == 1, X[:, 0], 0.5) + shift + rng.normal(size=count)
    return X, TreatedDecisions(np.arange(count), k, shift, y, np.ones(count))


def test_shared_effects_and_differences_between_options_are_separated() -> None:
    X, treated = treated_sample(np.random.default_rng(2), 4_000)
    interactions = fit_treatment_interactions(X, treated, 2)
    np.testing.assert_allclose(interactions.weights[1], [3, 3], atol=0.1)
    np.testing.assert_allclose(interactions.weights[0], [0, 1], atol=0.1)
    np.testing.assert_allclose(interactions.intercept, [0.5, 0], atol=0.15)
    np.testing.assert_allclose(interactions.slope, [1, 1], atol=0.1)
    residual = treated.target - predict_treated(interactions, X, treated)
    assert residual.var() == pytest.approx(1.0, abs=0.05)


def test_the_link_recovers_an_option_that_is_stopped_more_at_larger_doses() -> None:
    rng = np.random.default_rng(3)
    _, treated = treated_sample(rng, 20_000)
    distance, stopped = (
        rng.normal(size=20_000),
        np.where(treated.treatment == 1, treated.shift, 0.0),
    )
    truth = 1 / (1 + np.exp(-(2 * distance - stopped)))
    labelled = TreatedDecisions(
        treated.row,
        treated.treatment,
        treated.shift,
        (rng.random(20_000) < truth).astype(float),
        treated.weight,
    )
    link = fit_effectiveness_link(distance, labelled, 2)
    assert link.scale == pytest.approx(2.0, abs=0.1)
    np.testing.assert_allclose(link.slope, [0, -1], atol=0.1)
    np.testing.assert_allclose(link.intercept, 0, atol=0.1)


def test_every_option_is_predicted_at_its_own_dose_levels() -> None:
    distance = evaluate_dose_grid(LEVELS, lambda k, shift: np.array([10.0 * k + shift]), 1)
    np.testing.assert_allclose(distance[0], [[-1, 0, 1], [9.5, 10.5, np.nan]])
    p = EffectivenessLink(1.0, np.zeros(2), np.array([0.0, -2.0])).probability(distance, LEVELS)
    np.testing.assert_allclose(p[0, 1, :2], 1 / (1 + np.exp(-np.array([10.5, 9.5]))))


def test_both_learners_choose_the_best_option_of_each_patient_and_are_baselines() -> None:
    cohort = synthetic_iwpc()
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
        predicted = policy.predict_effectiveness(validation.history, validation.last_step, allowed)
        known = best >= 0
        assert (predicted[known, :, 0].argmax(1) == best[known]).mean() > 0.7


@pytest.mark.parametrize("method", ["dose_ridge", "dose_boosting", "tuned_dose_boosting"])
def test_a_yes_or_no_has_no_distance_to_a_target(method: str) -> None:
    cohort = with_option_doses(synthetic_iwpc(60))
    study = replace(cohort.study, outcome=replace(cohort.study.outcome, kind="occurs"))
    cohort = replace(cohort, study=study, target_distance=None)
    with pytest.raises(UserError) as error:
        build_learner(method).fit(select_split(cohort, TRAIN), select_split(cohort, VALIDATION))
    assert str(error.value) == (
        f"study {study.name}: [outcome] kind = 'occurs' has no distance to a target, from which "
        "this method learns; fit with --method effects_and_doses, which learns doses from a yes or "
        "no too, or with stack."
    )
