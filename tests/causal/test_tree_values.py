import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.causal.boosted_trees import MANY_DECISIONS, make_boosted_trees, make_effect_trees
from posology.causal.tree_values import predict_columns, predict_options

OPTIONS = 3


def patients(seed: int, has_missing: bool) -> tuple[np.ndarray, np.ndarray]:
    """Covariates, the option in the last columns, and outcomes that depend on both."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 4))
    X[:, 1] = np.round(X[:, 1])
    option = rng.integers(0, OPTIONS, 400)
    outcome = np.exp(X[:, 0] * (option == 1) + X[:, 1] + rng.normal(size=400))
    if has_missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return np.hstack([X, np.eye(OPTIONS)[option]]), outcome


@pytest.mark.parametrize(
    "make",
    [
        make_boosted_trees,
        lambda: make_effect_trees(100),
        lambda: make_effect_trees(MANY_DECISIONS),
        lambda: make_boosted_trees("poisson"),
    ],
)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31), missing=st.tuples(st.booleans(), st.booleans()))
def test_values_are_those_of_scikit_learn_to_the_last_bit(make, seed, missing) -> None:
    # Also of patients with values missing where none was when the trees were fitted.
    X, outcome = patients(seed, missing[0])
    others = patients(seed + 1, missing[1])[0]
    model = make().fit(X, outcome)
    np.testing.assert_array_equal(predict_columns(model, others), model.predict(others))
    found = predict_options(model, others, OPTIONS)
    for k in range(OPTIONS):
        others[:, -OPTIONS:] = np.arange(OPTIONS) == k
        np.testing.assert_array_equal(found[:, k], model.predict(others))


def test_blocks_do_not_matter(monkeypatch) -> None:
    X, outcome = patients(3, has_missing=True)
    model = make_boosted_trees().fit(X, outcome)
    whole = predict_options(model, X, OPTIONS)
    monkeypatch.setattr("posology.causal.tree_values.BLOCK_SIZE", 7)
    np.testing.assert_array_equal(predict_options(model, X, OPTIONS), whole)
