from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from posology.causal import censoring, outcome_regression
from posology.causal.doubly_robust_scores import (
    Nuisance,
    aipw_scores,
    fit_nuisance,
    fit_other_outcomes,
)
from posology.causal.outcome_regression import fit_outcome_regression, ridge_columns
from posology.causal.propensity import (
    PROPENSITY_FLOOR,
    Propensity,
    find_unsupported,
    fit_propensity,
    known_propensity,
    log_loss,
)
from posology.causal.trial import FOLDS, Trial, assign_folds, validate_trial
from posology.errors import UserError
from tests.builders.followed_trials import stopped_early
from tests.builders.known_effects import draw_trial


def test_a_subject_is_in_one_fold_and_options_are_balanced() -> None:
    trial, _ = draw_trial("obs", 400, 0)
    trial = replace(trial, subject=np.arange(400) // 2)
    fold = assign_folds(trial, np.random.default_rng(1))
    assert (fold[::2] == fold[1::2]).all()
    single = replace(trial, subject=np.arange(400))
    counts = np.bincount(assign_folds(single, np.random.default_rng(1))[single.treatment == 1])
    assert len(counts) == FOLDS
    assert counts.max() - counts.min() <= 1


def test_missing_outcomes_are_errors_and_options_given_rarely_are_not() -> None:
    trial, _ = draw_trial("rct", 100, 0)
    hole = trial.outcome.copy()
    hole[7] = np.nan
    with pytest.raises(UserError, match="row 7: outcome is nan, as in 1 of 100 rows"):
        validate_trial(replace(trial, outcome=hole))
    one = replace(trial, treatment=np.zeros(100, np.int64))
    with pytest.raises(UserError, match="nothing to compare: option 'new' was given 0 times"):
        validate_trial(one)
    rare = replace(trial, n_options=3, option_names=("old", "new", "rare"))
    assert validate_trial(rare) is rare


def test_levels_of_a_dose_chosen_by_thresholds_are_learned_by_a_forest() -> None:
    """Twelve options; the usual one jumps at three values of a covariate."""
    rng, n, options = np.random.default_rng(4), 3_000, 12
    x = rng.normal(size=(n, 3))
    usual = np.digitize(x[:, 0], [-1.0, 0.0, 1.0]) * 3
    truth = 0.3 / options + 0.7 * np.eye(options)[usual]
    given = (truth.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    trial = Trial(x, given, np.zeros(n), np.arange(n), options)
    fold = assign_folds(trial, rng)
    found = fit_propensity(trial, fold)
    assert found.model == "forest"
    assert "boosting" not in found.log_loss
    error = np.abs(found.probability - truth).mean()
    other = np.abs(fit_propensity(trial, fold, ("splines",)).probability - truth).mean()
    assert error < 0.8 * other


def test_propensities_are_close_to_the_truth_and_the_model_fits_the_data() -> None:
    trial, truth = draw_trial("obs", 2000, 1)
    propensity = fit_propensity(trial, assign_folds(trial, np.random.default_rng(0)))
    assert propensity.model == "logistic"
    assert np.abs(propensity.probability[:, 1] - truth.propensity).mean() < 0.03
    np.testing.assert_allclose(propensity.probability.sum(axis=1), 1.0)
    assert propensity.log_loss["logistic"] == pytest.approx(log_loss(propensity.probability, trial))
    assert propensity.log_loss["logistic"] == min(propensity.log_loss.values())


def test_propensities_of_a_randomised_trial_are_the_shares() -> None:
    trial, _ = draw_trial("rct", 1000, 0)
    propensity = fit_propensity(trial, assign_folds(trial, np.random.default_rng(0)))
    assert propensity.model == "shares"
    assert np.ptp(propensity.probability[:, 1]) < 0.02


def test_no_row_is_predicted_by_models_that_have_seen_it() -> None:
    """Changing a row's own outcome or treatment does not change its predictions."""
    trial, _ = draw_trial("obs", 300, 2)
    fold = assign_folds(trial, np.random.default_rng(0))
    here = fold == 3
    turned = replace(trial, treatment=np.where(here, 1 - trial.treatment, trial.treatment))
    raised = replace(trial, outcome=np.where(here, trial.outcome + 9, trial.outcome))
    for model in ("logistic", "boosting"):
        before = fit_propensity(trial, fold, (model,)).probability[here]
        after = fit_propensity(turned, fold, (model,)).probability[here]
        order = np.argsort(before[:, 1])  # the temperature may differ, the ranking may not
        assert (np.diff(after[order, 1]) >= -1e-9).all()
    boosted = fit_outcome_regression(trial, fold).boosted_mean[here]
    np.testing.assert_allclose(fit_outcome_regression(raised, fold).boosted_mean[here], boosted)


def test_scores_average_to_the_truth_if_either_model_is_right() -> None:
    trial, truth = draw_trial("obs", 60_000, 3)
    right = np.column_stack([1 - truth.propensity, truth.propensity])
    wrong_mean, wrong_chance = np.zeros((60_000, 2)), np.full((60_000, 2), 0.5)
    value = truth.expected.mean(axis=0)
    np.testing.assert_allclose(
        aipw_scores(trial, truth.expected, wrong_chance).mean(0), value, atol=0.03
    )
    np.testing.assert_allclose(aipw_scores(trial, wrong_mean, right).mean(0), value, atol=0.05)
    assert np.abs(aipw_scores(trial, wrong_mean, wrong_chance).mean(0) - value).max() > 0.3


def test_residuals_by_hand() -> None:
    trial, _ = draw_trial("rct", 200, 4)
    half = known_propensity(np.full((200, 2), 0.5))
    nuisance = fit_nuisance(trial, np.random.default_rng(0), half)
    assert nuisance.propensity is half
    np.testing.assert_allclose(
        nuisance.outcome_residual, trial.outcome - nuisance.outcome_regression.mean.mean(axis=1)
    )
    np.testing.assert_allclose(nuisance.treatment_residual[:, 1], trial.treatment - 0.5)


def test_a_binary_outcome_stays_a_probability() -> None:
    rng = np.random.default_rng(5)
    X, t = rng.normal(size=(400, 3)), rng.integers(0, 3, 400)
    y = (rng.random(400) < 1 / (1 + np.exp(-3 * X[:, 0]))).astype(np.float64)
    trial = Trial(X, t, y, np.arange(400), 3)
    mean = fit_outcome_regression(trial, assign_folds(trial, rng)).mean
    assert mean.shape == (400, 3)
    assert (mean >= 0).all()
    assert (mean <= 1).all()


def test_the_standard_error_of_the_average_effect_is_right() -> None:
    """The error over 20 draws equals the standard error of the scores, within Monte-Carlo error."""
    off = []
    for seed in range(20):
        trial, truth = draw_trial("obs", 400, 100 + seed)
        p = np.column_stack([1 - truth.propensity, truth.propensity])
        scores = fit_nuisance(trial, np.random.default_rng(seed), Propensity(p, "x", {})).scores
        each = scores[:, 1] - scores[:, 0]
        off.append((each.mean() - 0.2535) / (each.std() / 20))
    assert abs(np.mean(off)) < 0.6
    assert 0.65 < np.std(off) < 1.4


def test_an_option_that_patients_like_this_never_had_has_the_lowest_propensity() -> None:
    rng = np.random.default_rng(6)
    X = np.column_stack([rng.normal(size=600), rng.integers(0, 3, 600), rng.random(600) < 0.01])
    treatment = rng.integers(0, 3, 600)
    treatment[(X[:, 1] == 2) & (treatment == 2)] = 0
    trial = Trial(X, treatment, rng.normal(size=600), np.arange(600), 3)
    unsupported = find_unsupported(trial)
    np.testing.assert_array_equal(unsupported[:, 2], X[:, 1] == 2)
    assert not unsupported[:, :2].any(), "a value of six patients may lack an option by chance"
    propensity = fit_propensity(trial, assign_folds(trial, rng), ("shares",)).probability
    np.testing.assert_allclose(propensity.sum(axis=1), 1.0)
    assert (propensity[X[:, 1] == 2, 2] == PROPENSITY_FLOOR).all()
    four = np.where(X[:, 1] == 2, np.arange(600) % 4, np.arange(600))
    assert not find_unsupported(replace(trial, subject=four)).any(), "patients count"


def test_other_outcomes_share_what_no_outcome_enters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each harm had its own folds, and so its own models of who leaves: twice as many here."""
    trial, _ = stopped_early(400, 0)
    fold, half = assign_folds(trial, np.random.default_rng(0)), np.full((400, 2), 0.5)
    known = replace(trial, outcome=np.ones(400), follow_up=None)
    regression = fit_outcome_regression(known, fold)
    nuisance = Nuisance(known, fold, known_propensity(half), regression)
    fits = {"linear": 0, "boosted": 0, "ridge_columns": 0}
    made = {**censoring._KINDS, "ridge_columns": ridge_columns}

    def counted(name: str) -> object:
        def fit(*args: Any) -> Any:
            fits[name] += 1
            return made[name](*args)

        return fit

    for kind in ("linear", "boosted"):
        monkeypatch.setitem(censoring._KINDS, kind, counted(kind))
    monkeypatch.setattr(outcome_regression, "ridge_columns", counted("ridge_columns"))
    harms = fit_other_outcomes(nuisance, {"first": trial, "second": replace(trial)})
    assert fits["ridge_columns"] == 1
    assert {fits["linear"], fits["boosted"]} <= {1, 1 + FOLDS}, "to choose the kind, and by fold"
    np.testing.assert_array_equal(harms["first"].fold, fold)
    np.testing.assert_array_equal(harms["first"].scores, harms["second"].scores)
    assert harms["first"].trial.follow_up is None
