"""The basis of the Gaussian process of effects: additive columns and interactions of covariates."""

from dataclasses import dataclass, field, replace

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
    relevance: Float64[np.ndarray, " weighted"] = field(default_factory=lambda: np.zeros(0))
    """Prior variance along each covariate; empty: all alike."""


def fit_effect_basis(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    options: int,
    rng: np.random.Generator,
    relevance: Float64[np.ndarray, " feature"] | None = None,
) -> EffectBasis:
    """The basis of a trial with so many options; `relevance`: 1 on average, None: all alike."""
    most, features = max(MAX_COLUMNS // options, 1), X.shape[1]
    whole = Reduction(np.zeros(0), 1.0, np.zeros((0, 0)))
    unreduced = EffectBasis(
        hinges=fit_basis(X, hinges=True, products=False),
        linear=fit_basis(X, hinges=False, products=False),
        products=fit_basis(X, hinges=False, products=True),
        frequency=rng.normal(size=(features, COSINES)) / np.sqrt(max(features, 1)),
        phase=rng.uniform(0, 2 * np.pi, COSINES),
        cosines=whole,
        product_columns=whole,
        additive=whole,
        interactions=whole,
        relevance=np.zeros(0) if relevance is None else relevance,
    )
    hinges, waves, pairs = _weighted_columns(unreduced, X)
    cosines, product_columns = _fit_reduction(waves, None), _fit_reduction(pairs, None)
    together = np.hstack([_reduce(cosines, waves)[0], _reduce(product_columns, pairs)[0]])
    return replace(
        unreduced,
        cosines=cosines,
        product_columns=product_columns,
        additive=_fit_reduction(hinges, most),
        interactions=_fit_reduction(together, most),
    )


def expand_effect_basis(
    basis: EffectBasis,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> EffectColumns:
    """The columns of any decisions."""
    hinges, waves, pairs = _weighted_columns(basis, X)
    together = np.hstack(
        [_reduce(basis.cosines, waves)[0], _reduce(basis.product_columns, pairs)[0]]
    )
    additive, additive_rest = _reduce(basis.additive, hinges)
    interactions, interactions_rest = _reduce(basis.interactions, together)
    rest = np.column_stack([additive_rest, interactions_rest])
    return EffectColumns(additive, interactions, rest)


def _weighted_columns(
    basis: EffectBasis,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
) -> tuple[
    Float64[np.ndarray, "decision hinge"],
    Float64[np.ndarray, "decision cosine"],
    Float64[np.ndarray, "decision product"],
]:
    """Linear terms with hinges, cosines and products, by the relevance of their covariates."""
    features = X.shape[1]
    root = np.sqrt(basis.relevance) if len(basis.relevance) else np.ones(features)
    pairs = basis.products.feature_pairs
    linear = expand_basis(basis.linear, X) * root
    hinges = expand_basis(basis.hinges, X) * np.append(root, root[basis.hinges.feature_of_knot])
    products = expand_basis(basis.products, X)[:, features:] * root[pairs[:, 0]] * root[pairs[:, 1]]
    return hinges, np.cos(linear @ basis.frequency + basis.phase), products


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
