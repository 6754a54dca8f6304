import numpy as np

from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.nested_nuisance import fit_nested_nuisance
from posology.causal.trial import Trial, assign_folds
from posology.evaluation.effects.overlap import assess_overlap


def rare_value_never_treated(seed: int) -> Trial:
    """One patient in 25 has a value with which nobody was treated and x3 counts eightfold.

    Among all others the effect is 1 + x1 / 2.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(700, 10))
    X[:, 0] = rng.random(700) < 0.04
    treated = (rng.random(700) < 0.3 * (1 - X[:, 0])).astype(np.int64)
    outcome = X[:, 1] + 8 * X[:, 0] * X[:, 3] + treated * (1 + 0.5 * X[:, 1])
    return Trial(X, treated, outcome + rng.normal(size=700), np.arange(700), 2)


def test_where_an_option_was_never_given_nothing_is_extrapolated() -> None:
    """Before: expectations of -10.9 to 18.3 under a treatment whose patients had -3.8 to 7.4, for
    patients who counted among those with a chance of at least 5 % of either option."""
    trial = rare_value_never_treated(0)
    is_rare = trial.covariates[:, 0] == 1
    nested = fit_nested_nuisance(trial, assign_folds(trial, np.random.default_rng(0)))
    for nuisance in (fit_nuisance(trial, np.random.default_rng(0)), nested.overall):
        mean = nuisance.outcome_regression.mean
        for option in (0, 1):
            seen = trial.outcome[trial.treatment == option]
            assert (mean[:, option] >= seen.min()).all()
            assert (mean[:, option] <= seen.max()).all()
        population = assess_overlap(trial, nuisance.propensity).population
        assert not population[is_rare].any()
        assert population[~is_rare].mean() > 0.9
