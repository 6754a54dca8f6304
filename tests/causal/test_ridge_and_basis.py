import numpy as np

from posology.causal.ridge import fit_ridge, predict_held_out
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS

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
