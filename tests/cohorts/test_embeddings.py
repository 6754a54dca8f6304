import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.cohorts.embeddings import reduce_apply, reduce_fit


def vectors(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(40, 6)) * np.array([9.0, 5.0, 1.0, 0.5, 0.2, 0.1])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_only_training_rows_matter(seed: int) -> None:
    rows = vectors(seed)
    train = np.random.default_rng(seed + 1).random(40) < 0.7
    other = rows.copy()
    other[~train] = np.nan  # whatever stands in the other rows
    one, two = reduce_fit(rows, train, 3), reduce_fit(other, train, 3)
    np.testing.assert_array_equal(one.components, two.components)
    np.testing.assert_array_equal(one.center, two.center)
    np.testing.assert_array_equal(reduce_apply(one, rows)[train], reduce_apply(two, other)[train])


def test_components_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    rows, train = vectors(3), np.arange(40) < 30
    mine, theirs = reduce_fit(rows, train, 3), PCA(3).fit(rows[train])
    np.testing.assert_allclose(mine.share, theirs.explained_variance_ratio_)
    np.testing.assert_allclose(
        np.abs(reduce_apply(mine, rows)), np.abs(theirs.transform(rows)), atol=1e-9
    )


def test_all_components_keep_all_that_is_known_and_few_rows_give_few() -> None:
    rows, train = vectors(4), np.ones(40, dtype=bool)
    whole = reduce_fit(rows, train, 99)
    back = reduce_apply(whole, rows) @ whole.components + whole.center
    np.testing.assert_allclose(back, rows)
    assert reduce_fit(rows, np.arange(40) < 2, 5).components.shape == (2, 6)
    with pytest.raises(ValueError, match="need training rows, and finite numbers in them"):
        reduce_fit(rows, ~train, 2)
