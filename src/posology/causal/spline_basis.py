"""Spline basis for ridge regression: linear terms, hinges and products of covariates."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.scaling import mean_and_std, standardize

Design = Float64[np.ndarray, "decision column"]

QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles at the knots (near Harrell 2015, Regression Modeling Strategies, table 2.3)."""
MAX_FEATURES_WITH_PRODUCTS = 24
"""With more covariates, products are left out: there would be more than 276 columns."""


MAX_FEATURES_WITH_ALL_KNOTS = 80
"""With more covariates, the only knots are the medians; our choice, for speed."""


@dataclass(frozen=True, slots=True, eq=False)
class SplineBasis:
    """Knots and scaling of the basis; a missing value counts as the training mean."""

    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    knots: Float64[np.ndarray, "hinge"]
    feature_of_knot: Int64[np.ndarray, "hinge"]
    """Covariate index of each hinge."""
    feature_pairs: Int64[np.ndarray, "product two"]
    mean: Float64[np.ndarray, " column"]
    scale: Float64[np.ndarray, " column"]


def fit_basis(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    hinges: bool,
    products: bool,
) -> SplineBasis:
    """Fit a basis whose columns have mean 0 and standard deviation 1 on these decisions."""
    center, spread = mean_and_std(X, min_std=1e-9)
    Z = standardize(X, center, spread)
    quantiles = QUANTILES if X.shape[1] <= MAX_FEATURES_WITH_ALL_KNOTS else (0.5,)
    knots = [np.unique(np.quantile(z, quantiles)) if hinges else np.zeros(0) for z in Z.T]
    # A hinge at the smallest or largest value equals the linear term.
    knots = [k[(k > z.min()) & (k < z.max())] for k, z in zip(knots, Z.T, strict=True)]
    has_products = X.shape[1] <= MAX_FEATURES_WITH_PRODUCTS and products
    pairs = np.column_stack(np.triu_indices(X.shape[1], 1)) if has_products else np.zeros((0, 2))
    unscaled = SplineBasis(
        center=center,
        spread=spread,
        knots=np.concatenate(knots or [np.zeros(0)]),
        feature_of_knot=np.repeat(np.arange(X.shape[1]), [len(k) for k in knots]).astype(np.int64),
        feature_pairs=pairs.astype(np.int64),
        mean=np.zeros(0),
        scale=np.zeros(0),
    )
    columns = _columns(unscaled, X)
    scale = columns.std(axis=0)
    return replace(unscaled, mean=columns.mean(axis=0), scale=np.where(scale > 1e-9, scale, 1.0))


def expand_basis(
    basis: SplineBasis,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> Design:
    """Basis columns of any decisions, without an intercept."""
    return (_columns(basis, X) - basis.mean) / basis.scale


def _columns(basis: SplineBasis, X: np.ndarray) -> np.ndarray:  # noqa: N803
    Z = standardize(X, basis.center, basis.spread)
    hinges = np.maximum(Z[:, basis.feature_of_knot] - basis.knots, 0.0)
    return np.hstack([Z, hinges, Z[:, basis.feature_pairs[:, 0]] * Z[:, basis.feature_pairs[:, 1]]])
