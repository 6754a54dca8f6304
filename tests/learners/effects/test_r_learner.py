from dataclasses import replace

import numpy as np
import pytest

from posology.causal.doubly_robust_scores import Nuisance, fit_nuisance
from posology.causal.heterogeneity import heterogeneity_test
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.propensity import known_propensity
from posology.causal.trial import Trial
from posology.domain.cohort import subset_decisions
from posology.errors import UserError
from posology.learners.effects.policy import EffectLearner
from posology.learners.effects.r_learner import choose_option, fit_effects, predict_effects
from posology.simulators import two_options as simulator
from tests.builders.small_cohorts import small_cohort


def learn(scenario: str, n: int, seed: int, gate: bool = True):
    drawn = simulator.draw_sample(scenario, n, np.random.default_rng(seed))
    trial = Trial(drawn.covariates, drawn.treatment, drawn.outcome, np.arange(n), 2)
    return fit_effects(fit_nuisance(trial, np.random.default_rng(seed)), gate)


@pytest.mark.parametrize("scenario", ["rct", "obs"])
def test_most_of_the_gain_is_found(scenario: str) -> None:
    """The best single option loses 0.266 against the best rule."""
    learned = learn(scenario, 1000, 0)
    new = simulator.draw_sample(scenario, 5000, np.random.default_rng(99))
    assert learned.is_personal
    assert simulator.regret(new, choose_option(learned, new.covariates)) < 0.06
    said = predict_effects(learned, new.covariates)
    assert (said[:, learned.best_single] == 0).all()
    true = new.expected - new.expected[:, [learned.best_single]]
    assert np.corrcoef(said.sum(axis=1), true.sum(axis=1))[0, 1] > 0.8


def test_effects_of_two_covariates_together_are_found() -> None:
    """The rule keeps four fifths of what the best one gains."""
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=(1500, 6)), rng.integers(0, 2, 1500)
    outcome = x[:, 0] + t * x[:, 1] * x[:, 2] + rng.normal(size=1500)
    learned = fit_effects(fit_nuisance(Trial(x, t, outcome, np.arange(1500), 2), rng))
    new = rng.normal(size=(4000, 6))
    tau = new[:, 1] * new[:, 2]
    said = predict_effects(learned, new)
    assert np.corrcoef(said[:, 1] - said[:, 0], tau)[0, 1] > 0.9
    lost = np.maximum(tau, 0).mean() - (tau * choose_option(learned, new)).mean()
    assert lost < 0.2 * np.maximum(tau, 0).mean()


def test_many_covariates_have_no_products() -> None:
    rng = np.random.default_rng(4)
    x, t = rng.normal(size=(300, 25)), rng.integers(0, 2, 300)
    outcome = t * x[:, 0] + rng.normal(size=300)
    learned = fit_effects(fit_nuisance(Trial(x, t, outcome, np.arange(300), 2), rng))
    assert len(learned.linear) == 2


def test_one_option_for_all_where_effects_do_not_vary() -> None:
    learned = learn("null", 1000, 1)
    new = simulator.draw_sample("null", 2000, np.random.default_rng(99))
    assert not learned.is_personal
    assert (choose_option(learned, new.covariates) == learned.best_single).all()


def test_without_the_gate_effects_are_personal_even_then() -> None:
    assert learn("null", 400, 1, gate=False).is_personal


def test_the_heterogeneity_test_errs_no_oftener_than_it_says() -> None:
    """Effects said by ridge regressions of the other folds, of pure noise; 400 draws, one-sided
    5 %. Counted as if folds were strangers, the same slopes would err in some 10 %."""
    rng, found, naive = np.random.default_rng(0), [], []
    for _ in range(400):
        n, fold = 200, np.arange(200) % 5
        x, surprise, noise = (
            rng.normal(size=(n, 10)),
            rng.integers(0, 2, n) - 0.5,
            rng.normal(size=n),
        )
        design, said = x * surprise[:, None], np.zeros((n, 2))
        for f in range(5):
            rest = fold != f
            gram = design[rest].T @ design[rest] + 30 * np.eye(10)
            said[~rest, 1] = x[~rest] @ np.linalg.solve(gram, design[rest].T @ noise[rest])
        test = heterogeneity_test(said, noise, np.column_stack([-surprise, surprise]), np.arange(n))
        found.append(test.p < 0.05)
        naive.append(test.slope / test.standard_error > 1.645)
    assert 0.005 <= np.mean(found) <= 0.05
    assert np.mean(naive) > 0.075


def test_of_what_was_learned_elsewhere_the_test_errs_as_often_as_it_says() -> None:
    """One-sided 5 %, 300 draws: 1.2 to 8.8 % within three standard errors."""
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        surprise = rng.integers(0, 2, 200) - 0.5
        both = np.column_stack([-surprise, surprise])
        said = np.column_stack([np.zeros(200), rng.normal(size=200)])
        residual = 0.7 * surprise + rng.normal(size=200)
        found.append(
            heterogeneity_test(said, residual, both, np.arange(200), folds_share_noise=False).p
            < 0.05
        )
    assert 0.012 <= np.mean(found) <= 0.088


def test_the_slope_of_true_effects_is_one() -> None:
    rng = np.random.default_rng(1)
    tau, surprise = rng.normal(size=4000), rng.integers(0, 2, 4000) - 0.5
    said = np.column_stack([np.zeros(4000), tau])
    residual = surprise * (tau + 0.3) + rng.normal(size=4000)
    found = heterogeneity_test(
        said, residual, np.column_stack([-surprise, surprise]), np.arange(4000)
    )
    assert found.slope == pytest.approx(1.0, abs=3 * found.standard_error)
    assert found.p < 1e-10
    level = heterogeneity_test(np.zeros((4000, 2)), residual, np.zeros((4000, 2)), np.arange(4000))
    assert (level.slope, level.p) == (0.0, 1.0)


def test_three_options_are_learned_at_once() -> None:
    rng = np.random.default_rng(2)
    X, t = rng.normal(size=(1500, 3)), rng.integers(0, 3, 1500)
    means = np.column_stack([np.zeros(1500), X[:, 0], -X[:, 0] + 0.5 * X[:, 1]])
    y = X[:, 2] + means[np.arange(1500), t] + rng.normal(0, 0.5, 1500)
    trial = Trial(X, t, y, np.arange(1500), 3, ("a", "b", "c"))
    learned = fit_effects(fit_nuisance(trial, rng, known_propensity(np.full((1500, 3), 1 / 3))))
    right = choose_option(learned, X) == means.argmax(axis=1)
    assert learned.is_personal
    assert right.mean() > 0.85


def test_the_best_single_option_is_the_one_of_the_highest_doubly_robust_mean() -> None:
    drawn = simulator.draw_sample("null", 300, np.random.default_rng(3))
    trial = Trial(drawn.covariates, drawn.treatment, drawn.outcome, np.arange(300), 2)
    half = known_propensity(np.full((300, 2), 0.5))
    flat = OutcomeRegression(
        drawn.expected, drawn.expected, (1.0, 0.0), np.tile(drawn.expected, (5, 1, 1))
    )
    nuisance = Nuisance(trial, np.arange(300) % 5, half, flat)
    learned = fit_effects(nuisance)
    assert learned.best_single == nuisance.scores.mean(axis=0).argmax()


def test_a_study_without_outcomes_is_refused() -> None:
    cohort = small_cohort(0, 60, best_known=False)
    lost = replace(cohort, outcome_observed=np.zeros(60, bool))
    with pytest.raises(UserError, match="no decision has both a treatment and an outcome"):
        EffectLearner().fit(lost, cohort)


def test_a_cohort_of_single_outcomes_is_learned() -> None:
    train, validation, test = (small_cohort(seed, 300, best_known=False) for seed in (1, 2, 3))
    policy = EffectLearner().fit(train, validation)
    everything = np.ones((300, 3), bool)
    chosen = policy.choice_probabilities(test.history, test.last_step, everything).argmax(axis=1)
    truth = np.digitize(test.dose, [21, 49.0001])
    assert (chosen == truth).mean() > 0.6


def test_an_option_that_nobody_was_given_is_not_chosen() -> None:
    """As of a drug that the study names and that comes later."""
    train, validation, test = (small_cohort(seed, 300, best_known=False) for seed in (1, 2, 3))
    train, validation = (subset_decisions(c, c.treatment != 2) for c in (train, validation))
    policy = EffectLearner().fit(train, validation)
    assert policy.formulary.unlearned == ("high",)
    everything = np.ones((300, 3), bool)
    p = policy.choice_probabilities(test.history, test.last_step, everything)
    assert (p[:, 2] == 0).all()
    assert (p.argmax(axis=1) == (test.dose > 21)).mean() > 0.6


def test_a_covariate_that_an_options_patients_all_lack_is_no_error() -> None:
    """As a laboratory value of those given a drug that few got."""
    rng = np.random.default_rng(5)
    x, t = rng.normal(size=(400, 3)), (rng.random(400) < 0.1).astype(np.int64)
    x[t == 1, 2] = np.nan
    outcome = x[:, 0] * (1 + t) + rng.normal(size=400)
    known = known_propensity(np.column_stack([np.full(400, 0.9), np.full(400, 0.1)]))
    learned = fit_effects(
        fit_nuisance(Trial(x, t, outcome, np.arange(400), 2), rng, known), gate=False
    )
    assert np.isfinite(predict_effects(learned, x)).all()
