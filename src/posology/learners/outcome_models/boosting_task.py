"""What a library of boosted trees is given: rows, labels, and how to grow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from posology.learners.outcome_models.tree_policy import Trees


@dataclass(frozen=True, slots=True, eq=False)
class BoostingTask:
    """Rows and labels, and the settings that every library knows.

    The settings are ours: small steps, and few random columns, which is what helps most where
    hundreds of columns are rare codes.
    """

    X: Float32[np.ndarray, "decision feature"]
    y: Float64[np.ndarray, " decision"]
    weight: Float64[np.ndarray, " decision"] | None
    loss: str
    """`squared_error`, `absolute_error` or `classes`."""
    classes: int = 1
    """Columns of the prediction; of classes absent from `y` too."""
    learning_rate: float = 0.03
    leaves: int = 12
    min_leaf_size: int = 20
    column_share: float = 0.2
    row_share: float = 0.8
    """Share of the rows that each tree sees, where the library can."""
    penalty: float = 1.0
    """Of squared leaf values."""


Grow = Callable[[BoostingTask, int, int], Trees]
"""Grows the trees of a number of rounds with a random seed; rounds are in order."""
