"""Boosted trees of the nuisance models."""

import numpy as np

from posology.causal.boosted_trees import (
    MANY_DECISIONS,
    distinct_columns,
    fill_unknown,
    make_effect_trees,
)


def test_columns_that_repeat_an_earlier_one_change_no_prediction() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (300, 4)).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    repeated = X[:, [0, 1, 0, 2, 1, 3, 3]]
    kept = distinct_columns(repeated)
    np.testing.assert_array_equal(kept, X[:, [0, 1, 2, 3]])
    assert distinct_columns(X) is X
    y = np.nan_to_num(X[:, 1]) + rng.normal(size=300)
    predicted = [make_effect_trees(len(y)).fit(each, y).predict(each) for each in (repeated, kept)]
    np.testing.assert_array_equal(*predicted)


def test_a_column_that_is_unknown_in_a_fold_splits_nothing() -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 5, (200, 3)).astype(float)
    y = X[:, 0] + rng.normal(size=200)
    known = fill_unknown(X)
    assert known is X
    X[:, 1] = np.nan
    fitted = make_effect_trees(len(y)).fit(fill_unknown(X), y)
    there = np.where(np.isnan(X), 3.0, X)
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(there))


def test_many_decisions_show_effects_of_several_covariates_at_once() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2 * MANY_DECISIONS, 3))
    effect = X[:, 0] * X[:, 1] + X[:, 1] * X[:, 2]
    seen = effect[:MANY_DECISIONS] + rng.normal(size=MANY_DECISIONS)
    few, many = (
        make_effect_trees(decisions).fit(X[:MANY_DECISIONS], seen).predict(X[MANY_DECISIONS:])
        for decisions in (MANY_DECISIONS - 1, MANY_DECISIONS)
    )
    rest = effect[MANY_DECISIONS:]
    assert ((many - rest) ** 2).mean() < 0.5 * ((few - rest) ** 2).mean()
