"""Trees of the nuisance models: small, and the same wherever a kind of model is needed."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64

MANY_DECISIONS = 4_000
"""From here on, trees of effects are larger; our choice."""
MAX_BINS = 64
"""Bins of a covariate. As good as 255, which take up to twice the time (effects-stack.md)."""
MIN_LEAF_SIZE = 20
"""Decisions in a leaf, at least; our choice."""


def distinct_columns(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Float64[np.ndarray, "decision distinct_feature"]:
    """The columns without those that repeat an earlier one, which no tree would ever split on.

    Of equal columns trees split on the first, so that predictions stay the same to the last bit,
    in less time: tests that are taken together have the same counts.
    """
    first: dict[bytes, int] = {}
    for column in range(X.shape[1]):
        first.setdefault(X[:, column].tobytes(), column)
    return X if len(first) == X.shape[1] else X[:, list(first.values())]


def fill_unknown(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Float64[np.ndarray, "decision feature"]:
    """Columns that are unknown at all of these decisions are 0, so that no tree splits on them.

    A fact of a few patients may be in none of a fold's, and scikit-learn's trees need a number.
    """
    unknown = np.isnan(X).all(axis=0)
    return np.where(unknown, 0.0, X) if unknown.any() else X


def bin_columns(
    X: Float[np.ndarray, "decision feature"],  # noqa: N803
) -> Float[np.ndarray, "decision feature"]:
    """Each value replaced by the mean of its quantile bin; columns of few values stay, and NaN.

    Weighted trees then need no weighted quantiles, which are slow.
    """
    binned = X.copy()
    for column in range(X.shape[1]):
        known = ~np.isnan(X[:, column])
        values = X[known, column].astype(np.float64)
        if len(np.unique(values)) > MAX_BINS:
            edges = np.unique(np.quantile(values, np.arange(1, MAX_BINS) / MAX_BINS))
            bins = np.searchsorted(edges, values, side="right")
            count = np.maximum(np.bincount(bins), 1)
            binned[known, column] = (np.bincount(bins, values) / count)[bins]
    return binned


def make_boosted_trees(
    loss: Literal["squared_error", "poisson"] = "squared_error", min_leaf_size: int = MIN_LEAF_SIZE
) -> Any:
    """New boosted trees, as in every outcome regression; their settings are our choice."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss=loss,
        max_iter=50,
        learning_rate=0.15,
        max_leaf_nodes=8,
        min_samples_leaf=min_leaf_size,
        max_bins=MAX_BINS,
        early_stopping=False,
        random_state=0,
    )


def make_effect_trees(decisions: int) -> Any:
    """New boosted trees for effects, which are smoother than outcomes: smaller and fewer.

    Not where `decisions`, those of the whole study, are many: effects that depend on several
    covariates at once can be seen there, and small trees miss them
    (docs/decisions/effects-stack.md).
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    is_large = decisions >= MANY_DECISIONS
    return HistGradientBoostingRegressor(
        max_iter=50 if is_large else 40,
        learning_rate=0.15,
        max_leaf_nodes=8 if is_large else 4,
        min_samples_leaf=20,
        max_bins=MAX_BINS,
        early_stopping=False,
        random_state=0,
    )


def make_boosted_classifier() -> Any:
    """New boosted trees for a probability: of an option, or of a measurement.

    Each option has trees of its own, so that these are fewer and smaller.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=30,
        learning_rate=0.2,
        max_leaf_nodes=4,
        min_samples_leaf=20,
        max_bins=MAX_BINS,
        early_stopping=False,
        random_state=0,
    )


def make_forest_classifier() -> Any:
    """A new forest for the probabilities of many options, whose trees serve all of them."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        n_estimators=100, min_samples_leaf=MIN_LEAF_SIZE, max_features=0.5, random_state=0
    )
