import numpy as np
import pytest
import scipy.linalg

from posology.causal.outcome_regression import ridge_columns
from posology.causal.ridge import (
    RidgeTask,
    fit_ridge,
    fold_products,
    predict_held_out,
    solve_ridges,
)
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS, Trial

RNG = np.random.default_rng(0)


def test_columns_are_standardised_and_missing_values_count_as_the_mean() -> None:
    X = RNG.normal(size=(300, 3)) * [1, 5, 0.1] + 7
    X[:40, 1] = np.nan
    basis = fit_basis(X, hinges=True, products=True)
    columns = expand_basis(basis, X)
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(columns.std(axis=0), 1, atol=1e-9)
    assert columns.shape[1] == 3 + len(basis.knots) + 3
    filled = np.where(np.isnan(X), np.nanmean(X, axis=0), X)
    np.testing.assert_allclose(expand_basis(basis, filled), columns, atol=1e-9)


def test_a_column_of_two_values_needs_no_hinge() -> None:
    X = (RNG.random((200, 1)) < 0.4).astype(np.float64)
    assert len(fit_basis(X, hinges=True, products=False).knots) == 0


def test_ridge_equals_scikit_learn() -> None:
    from sklearn.linear_model import Ridge

    X = RNG.normal(size=(120, 4))
    y = X @ [1.0, -2.0, 0.0, 0.5] + 3 + RNG.normal(size=120)
    design = np.column_stack([np.ones(120), X])
    fold = np.arange(120) % FOLDS
    ours = fit_ridge(design, y, fold, n_unpenalised=1, penalties=(7.0,))
    theirs = Ridge(alpha=7.0).fit(X, y)
    np.testing.assert_allclose(ours.coefficients, [theirs.intercept_, *theirs.coef_], atol=1e-5)
    outside = Ridge(alpha=7.0).fit(X[fold != 2], y[fold != 2]).predict(X[fold == 2])
    predicted = predict_held_out(ours.fold_coefficients, design, fold)[fold == 2]
    np.testing.assert_allclose(predicted, outside, atol=1e-5)


def test_the_penalty_has_the_smallest_held_out_error() -> None:
    X = RNG.normal(size=(60, 30))
    y = RNG.normal(size=60)
    design, fold = np.column_stack([np.ones(60), X]), np.arange(60) % FOLDS
    errors = {p: fit_ridge(design, y, fold, 1, (p,)).held_out_error for p in (0.3, 30.0, 3000.0)}
    chosen = fit_ridge(design, y, fold, 1, (0.3, 30.0, 3000.0))
    assert chosen.penalty == min(errors, key=lambda p: errors[p])
    assert chosen.penalty == 3000.0, "noise wants the strongest penalty"


def test_each_system_is_factorised_once_for_all_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each had factorisations of its own: 4 targets 80 instead of 20, five rules 80 instead of 40;
    then as many as there are penalties, once each, for the coefficients without a fold left out."""
    design, fold = RNG.normal(size=(200, 6)), np.arange(200) % FOLDS
    targets, made = RNG.normal(size=(4, 200)), scipy.linalg.cho_factor
    alone = [fit_ridge(design, y, fold, 1, (0.3, 1.0, 10.0, 30.0)) for y in targets]
    factorised: list[int] = []

    def counted(*args, **options):
        factorised.append(1)
        return made(*args, **options)

    monkeypatch.setattr(scipy.linalg, "cho_factor", counted)
    tasks = [RidgeTask(y) for y in targets]
    products = fold_products(design, fold)
    together = solve_ridges(products, tasks, 1, (0.3, 1.0, 10.0, 30.0))
    assert len(factorised) == FOLDS * 4 + len(tasks)
    for first, second in zip(alone, together, strict=True):
        assert first.penalty == second.penalty
        np.testing.assert_allclose(first.fold_coefficients, second.fold_coefficients, atol=1e-9)
    factorised.clear()
    rules = [RidgeTask(targets[0], (left_out,)) for left_out in range(FOLDS)]
    without = solve_ridges(products, rules, 1, (0.3, 1.0, 10.0, 30.0))
    assert len(factorised) == 10 * 4 + FOLDS
    kept = fold != 2
    fitted = fit_ridge(design[kept], targets[0][kept], fold[kept], 1, (without[2].penalty,))
    np.testing.assert_allclose(without[2].coefficients, fitted.coefficients, atol=1e-9)
    np.testing.assert_allclose(without[2].fold_coefficients, fitted.fold_coefficients, atol=1e-9)
    assert without[2].held_out_error == pytest.approx(fitted.held_out_error)


def test_cross_products_by_option_are_those_of_the_whole_design() -> None:
    X, given = RNG.normal(size=(150, 3)), RNG.integers(0, 3, 150)
    fold = np.arange(150) % FOLDS
    found = ridge_columns(Trial(X, given, X[:, 0], np.arange(150), 3), fold).products
    whole = fold_products(found.design, fold)
    np.testing.assert_allclose(found.grams, whole.grams, atol=1e-9)
