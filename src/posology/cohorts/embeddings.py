"""Embedding vectors to a few numbers: principal components of the training split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """Where the components lie; fitted once, applied to every patient."""

    center: Float64[np.ndarray, " dimension"]
    components: Float64[np.ndarray, "component dimension"]
    """Orthonormal rows, the one of the largest variance first."""
    share: Float64[np.ndarray, " component"]
    """Of the training rows' variance that each component tells."""


def reduce_fit(
    vectors: Float64[np.ndarray, "row dimension"],
    train: Bool[np.ndarray, " row"],
    components: int,
) -> Reduction:
    """Principal components (Pearson 1901) by singular value decomposition of training rows alone.

    Fewer components come back where there are fewer training rows or dimensions.
    """
    chosen = vectors[train]
    if not len(chosen) or not np.isfinite(chosen).all():
        raise ValueError("principal components need training rows, and finite numbers in them")
    center = chosen.mean(axis=0)
    _, singular, axes = np.linalg.svd(chosen - center, full_matrices=False)
    keep = min(components, len(axes))
    # the sign of an axis is free: its largest entry is made positive, so that fits agree
    largest = np.abs(axes[:keep]).argmax(axis=1)
    signs = np.sign(axes[np.arange(keep), largest])
    total = float((singular**2).sum())
    share = singular[:keep] ** 2 / total if total > 0 else np.zeros(keep)
    return Reduction(center, axes[:keep] * np.where(signs == 0, 1.0, signs)[:, None], share)


def reduce_apply(
    reduction: Reduction, vectors: Float64[np.ndarray, "row dimension"]
) -> Float64[np.ndarray, "row component"]:
    """The rows in the components' coordinates."""
    return (vectors - reduction.center) @ reduction.components.T
