"""Which covariates change the effects, and what is gained by knowing it."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.conditional_effects import fit_effect_posterior
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.outcome_regression import OutcomeRegression
from posology.causal.patient.covariate_relevance import covariate_relevance
from posology.causal.patient.effect_posterior import contrast, patient_posterior
from posology.causal.propensity import known_propensity
from posology.causal.trial import FOLDS, Trial

N, FEATURES = 2_000, 120
NAMES = ("a", "b", "c", "d")


def draw(sizes: dict[int, float], seed: int) -> tuple[Nuisance, np.ndarray]:
    """A trial in which these covariates move option b's effect, and the coefficients."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, FEATURES))
    coefficients = np.zeros(FEATURES)
    coefficients[list(sizes)] = list(sizes.values())
    treatment = rng.integers(4, size=N)
    outcome = (treatment == 1) * (X @ coefficients) + rng.normal(size=N)
    trial = Trial(X, treatment, outcome, np.arange(N), 4, NAMES)
    mean = np.zeros((N, 4))
    regression = OutcomeRegression(mean, mean, (1.0, 0.0), np.tile(mean, (FOLDS, 1, 1)))
    propensity = known_propensity(np.full((N, 4), 0.25))
    return Nuisance(trial, np.arange(N) % FOLDS, propensity, regression), coefficients


def test_what_changes_effects_has_the_largest_relevance() -> None:
    nuisance, _ = draw({7: 0.5, 80: -0.5}, 0)
    relevance = covariate_relevance(nuisance)
    assert set(np.argsort(-relevance)[:2].tolist()) == {7, 80}
    assert relevance.mean() == pytest.approx(1)


def test_a_constant_covariate_has_none_and_no_covariates_are_no_error() -> None:
    nuisance, _ = draw({7: 0.5}, 0)
    X = nuisance.trial.covariates.copy()
    X[:, 3] = 1.0
    constant = replace(nuisance.trial, covariates=X)
    assert covariate_relevance(replace(nuisance, trial=constant))[3] == 0
    none = replace(nuisance.trial, covariates=X[:, :0])
    assert covariate_relevance(replace(nuisance, trial=none)).shape == (0,)


def test_with_too_many_covariates_the_likely_ones_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("posology.causal.patient.covariate_relevance.MAX_COLUMNS", 40)
    nuisance, _ = draw({7: 0.5, 80: -0.5}, 0)
    relevance = covariate_relevance(nuisance)
    assert set(np.argsort(-relevance)[:2].tolist()) == {7, 80}
    assert len(np.unique(relevance)) <= 11
    assert (relevance > 0).all()


def predict(nuisance: Nuisance, coefficients: np.ndarray) -> tuple[np.ndarray, ...]:
    posterior = fit_effect_posterior(nuisance, np.random.default_rng(0))
    X = np.random.default_rng(99).normal(size=(100, FEATURES))
    weights = np.array([-1.0, 1.0, 0.0, 0.0])
    found = [contrast(patient_posterior(posterior, x), weights) for x in X]
    return *np.array(found).T, X @ coefficients


def test_effects_of_few_covariates_among_many_are_found() -> None:
    """Covariates all alike, cut to 60 directions: correlation 0.66, nobody shown better."""
    mean, error, true = predict(*draw({7: 0.5, 80: -0.5}, 0))
    assert np.corrcoef(mean, true)[0, 1] > 0.85
    assert (np.abs(mean - true) < 1.96 * error).mean() > 0.9
    better = mean > 1.96 * error
    assert better.any()
    assert (true[better] > 0).all()


def test_where_no_covariate_changes_effects_nobody_is_shown_better() -> None:
    mean, error, true = predict(*draw({}, 1))
    assert not (np.abs(mean - true) > 1.96 * error).any()
