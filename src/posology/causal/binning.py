"""Columns in bins: weighted boosted trees then need no weighted quantiles, which are slow."""

import numpy as np
from jaxtyping import Float

from posology.causal.boosted_trees import MAX_BINS


def bin_columns(
    X: Float[np.ndarray, "decision feature"],  # noqa: N803
) -> Float[np.ndarray, "decision feature"]:
    """Each value replaced by the mean of its quantile bin; columns of few values stay, and NaN."""
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
