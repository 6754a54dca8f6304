"""The basis of the Gaussian process of effects: additive columns and interactions of covariates."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.spline_basis import SplineBasis, expand_basis, fit_basis
from posology.causal.trial import Column

COSINES = 100
MAX_COLUMNS = 240
"""Largest number of columns of either kind, over all options: the time is cubic in it. The variance
in the columns left out counts as unknown; our choice."""

Design = Float64[np.ndarray, "decision column"]


@dataclass(frozen=True, slots=True, eq=False)
class EffectColumns:
    """Basis of the effects; for each kind the squares of a decision sum to 1 on average."""

    additive: Float64[np.ndarray, "decision additive"]
    interactions: Float64[np.ndarray, "decision interaction"]
    left_out: Float64[np.ndarray, "decision two"]
    """Sum of squares of the columns left out, additive and interactions."""


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """Centred columns of average size 1, projected on their directions of largest variance."""

    center: Float64[np.ndarray, " column"]
    size: float
    directions: Float64[np.ndarray, "column direction"]
    """Without columns where all are kept as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectBasis:
    """Fitted on the decisions of a trial; other decisions are expanded in the same way."""

    hinges: SplineBasis
    linear: SplineBasis
    products: SplineBasis
    frequency: Float64[np.ndarray, "feature cosine"]
    """Of the random cosines (Rahimi and Recht 2007)."""
    phase: Float64[np.ndarray, " cosine"]
    cosines: Reduction
    product_columns: Reduction
    additive: Reduction
    interactions: Reduction


def fit_effect_basis(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    options: int,
    rng: np.random.Generator,
) -> EffectBasis:
    """The basis of a trial with so many options."""
    most = max(MAX_COLUMNS // options, 1)
    linear = fit_basis(X, hinges=False, products=False)
    products = fit_basis(X, hinges=False, products=True)
    hinges = fit_basis(X, hinges=True, products=False)
    columns = expand_basis(linear, X)
    frequency = rng.normal(size=(columns.shape[1], COSINES)) / np.sqrt(max(columns.shape[1], 1))
    phase = rng.uniform(0, 2 * np.pi, COSINES)
    waves = np.cos(columns @ frequency + phase)
    pairs = expand_basis(products, X)[:, columns.shape[1] :]
    cosines, product_columns = _fit_reduction(waves, None), _fit_reduction(pairs, None)
    together = np.hstack([_reduce(cosines, waves)[0], _reduce(product_columns, pairs)[0]])
    return EffectBasis(
        hinges=hinges,
        linear=linear,
        products=products,
        frequency=frequency,
        phase=phase,
        cosines=cosines,
        product_columns=product_columns,
        additive=_fit_reduction(expand_basis(hinges, X), most),
        interactions=_fit_reduction(together, most),
    )


def expand_effect_basis(
    basis: EffectBasis,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> EffectColumns:
    """The columns of any decisions."""
    columns = expand_basis(basis.linear, X)
    waves = np.cos(columns @ basis.frequency + basis.phase)
    pairs = expand_basis(basis.products, X)[:, columns.shape[1] :]
    together = np.hstack(
        [_reduce(basis.cosines, waves)[0], _reduce(basis.product_columns, pairs)[0]]
    )
    additive, additive_rest = _reduce(basis.additive, expand_basis(basis.hinges, X))
    interactions, interactions_rest = _reduce(basis.interactions, together)
    rest = np.column_stack([additive_rest, interactions_rest])
    return EffectColumns(additive, interactions, rest)


def _fit_reduction(columns: Design, most: int | None) -> Reduction:
    """`most`: number of directions; None keeps every column."""
    center = columns.mean(axis=0)
    centered = columns - center
    size = max(float(np.sqrt((centered**2).sum(axis=1).mean())), 1e-9)
    if most is None or columns.shape[1] <= most:
        return Reduction(center, size, np.zeros((columns.shape[1], 0)))
    scaled = centered / size
    return Reduction(center, size, np.linalg.eigh(scaled.T @ scaled)[1][:, -most:])


def _reduce(
    reduction: Reduction, columns: Design
) -> tuple[Float64[np.ndarray, "decision direction"], Column]:
    """The columns in the directions that are kept; also the sum of squares left out."""
    scaled = (columns - reduction.center) / reduction.size
    if not reduction.directions.shape[1]:
        return scaled, np.zeros(len(columns))
    reduced = scaled @ reduction.directions
    return reduced, np.maximum((scaled**2).sum(axis=1) - (reduced**2).sum(axis=1), 0.0)
