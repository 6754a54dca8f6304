"""Softmax and logistic function in numpy: importing scipy.special takes longer than an answer."""

import numpy as np
from jaxtyping import Float


def softmax(score: Float[np.ndarray, "*shape"], axis: int) -> Float[np.ndarray, "*shape"]:
    """Shares that sum to 1 along the axis; 0 where the score is minus infinity."""
    raised = np.exp(score - score.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def expit(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """1 / (1 + exp(-x)), without overflow."""
    raised = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, raised) / (1.0 + raised)
