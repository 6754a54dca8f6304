from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from posology.causal import (
    censoring,
    measurement,
    missing_outcomes,
    outcome_regression,
    propensity,
)
from posology.causal.boosted_trees import make_boosted_trees
from posology.causal.nested_nuisance import PAIRS, fit_nested_nuisance
from posology.causal.propensity import known_propensity
from posology.causal.trial import assign_folds
from tests.builders.followed_trials import rarely_measured, stopped_early
from tests.builders.known_effects import draw_trial


def test_no_outcome_of_a_fold_reaches_the_models_that_leave_it_out() -> None:
    trial, _ = draw_trial("obs", 150, 0)
    fold = assign_folds(trial, np.random.default_rng(0))
    moved = replace(trial, outcome=np.where(fold == 3, trial.outcome + 3, trial.outcome))
    before, after = fit_nested_nuisance(trial, fold), fit_nested_nuisance(moved, fold)
    for k in range(5):
        first, second = before.without[k].outcome_regression, after.without[k].outcome_regression
        assert np.array_equal(first.mean_by_fold, second.mean_by_fold) == (k == 3)
    here = fold == 3
    first, second = before.overall.outcome_regression.mean, after.overall.outcome_regression.mean
    np.testing.assert_array_equal(first[here], second[here])
    assert not np.allclose(first[~here], second[~here])
    assert (before.without[3].fold != 3).all()


def test_propensities_and_outcomes_are_as_good_as_those_fitted_one_fold_at_a_time() -> None:
    trial, truth = draw_trial("obs", 1000, 1)
    nested = fit_nested_nuisance(trial, assign_folds(trial, np.random.default_rng(0)))
    assert nested.overall.propensity.model == "logistic"
    off = nested.overall.propensity.probability[:, 1] - truth.propensity
    assert np.abs(off).mean() < 0.04
    rows = np.arange(1000)
    for nuisance in (nested.overall, *nested.without):
        mean = nuisance.outcome_regression.mean
        assert len(mean) == len(nuisance.trial)
    off = nested.overall.outcome_regression.mean[rows, trial.treatment]
    off -= truth.expected[rows, trial.treatment]
    assert np.sqrt((off**2).mean()) < 0.45, "the noise has a standard deviation of 1"


def test_propensities_are_fitted_once_for_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four kinds on three folds, then the best without each fold; it was without each two folds."""
    trial, _ = draw_trial("obs", 300, 0)
    fits, made = [], propensity._fit

    def counted(model: str, *args: Any) -> Any:
        fits.append(model)
        return made(model, *args)

    monkeypatch.setattr(propensity, "_fit", counted)
    fold = assign_folds(trial, np.random.default_rng(0))
    nested = fit_nested_nuisance(trial, fold)
    assert len(fits) == 4 + 5
    assert fits[4:] == [nested.overall.propensity.model] * 5
    for f, rule in enumerate(nested.without):
        judged = nested.overall.propensity.probability[fold != f]
        np.testing.assert_array_equal(rule.propensity.probability, judged)


def test_outcomes_are_corrected_for_without_the_fold_that_is_judged() -> None:
    """Corrected before the folds were drawn, the others' outcomes moved by up to 0.38."""
    trial, _ = stopped_early(150, 0)
    fold = assign_folds(trial, np.random.default_rng(0))
    half = known_propensity(np.full((150, 2), 0.5))
    moved = replace(trial, outcome=np.where(fold == 3, trial.outcome + 3, trial.outcome))
    before, after = (fit_nested_nuisance(each, fold, half) for each in (trial, moved))
    for k in range(5):
        first, second = before.without[k].trial.outcome, after.without[k].trial.outcome
        assert np.array_equal(first, second) == (k == 3)
        assert len(first) == (fold != k).sum()
    assert before.overall.trial.follow_up is None, "all outcomes are corrected"


def test_models_that_leave_out_the_same_two_folds_are_fitted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before, each kind of model of unknown outcomes was fitted 30 times."""
    trial, _ = rarely_measured(600, 0)
    fitted: Counter[str] = Counter()

    def counted_as(made: Any, what: str) -> Any:
        def counted(*args: Any) -> Any:
            fitted[what] += 1
            return made(*args)

        return counted

    for module, what in (
        (missing_outcomes, "expected outcome"),
        (outcome_regression, "regression"),
    ):
        monkeypatch.setattr(module, "make_boosted_trees", counted_as(make_boosted_trees, what))
    monkeypatch.setitem(
        measurement._KINDS, "boosted", counted_as(measurement._boosted, "measurement")
    )
    monkeypatch.setitem(
        censoring._KINDS, "linear", counted_as(censoring._linear_ratio, "censoring")
    )
    monkeypatch.setitem(censoring._KINDS, "boosted", counted_as(censoring._boosted_ratio, "trees"))
    half = known_propensity(np.full((600, 2), 0.5))
    steps: list[tuple[str, int]] = []
    fold = assign_folds(trial, np.random.default_rng(0))
    fit_nested_nuisance(trial, fold, half, lambda what, done: steps.append((what, done)))
    assert fitted["expected outcome"] == PAIRS
    assert fitted["regression"] == 0, "the trees that correct for unknown outcomes serve twice"
    # Kinds are compared on one of the pairs; censoring, and stopping or censoring, have one each.
    assert fitted["measurement"] in (1, PAIRS)
    assert {fitted["censoring"], fitted["trees"]} <= {2, PAIRS + 1, 2 * PAIRS}
    assert [done for what, done in steps if what == "unknown outcomes"] == [0, 4, 7, 9, 10]
