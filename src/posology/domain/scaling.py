"""Standardise columns that may have missing values."""

import numpy as np
from jaxtyping import Float, Float64


def mean_and_std(
    X: Float[np.ndarray, "row column"],  # noqa: N803
    min_std: float = 1e-6,
) -> tuple[Float64[np.ndarray, " column"], Float64[np.ndarray, " column"]]:
    """Mean and standard deviation of the known values of each column.

    A column without known values has mean 0; a standard deviation of at most `min_std` becomes 1.
    """
    known = ~np.isnan(X)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, X, 0.0).sum(axis=0, dtype=np.float64) / n
    std = np.sqrt((np.where(known, X - mean, 0.0) ** 2).sum(axis=0) / n)
    return mean, np.where(std > min_std, std, 1.0)


def standardize(
    X: Float[np.ndarray, "row column"],  # noqa: N803
    mean: Float[np.ndarray, " column"],
    std: Float[np.ndarray, " column"],
) -> Float[np.ndarray, "row column"]:
    """(X - mean) / std; a missing value becomes 0, the column's mean."""
    return np.nan_to_num((X - mean) / std)
