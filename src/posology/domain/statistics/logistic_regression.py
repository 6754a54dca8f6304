"""Ridge logistic regression by Newton's method."""

import numpy as np
from jaxtyping import Float64

MAX_LOGIT = 30.0
"""Logits beyond it are clipped: their probabilities are 0 or 1 to 13 digits."""


def fit_ridge_logistic(
    X: Float64[np.ndarray, "row column"],  # noqa: N803
    y: Float64[np.ndarray, " row"],
    weight: Float64[np.ndarray, " row"],
    penalty: Float64[np.ndarray, " column"],
    max_steps: int = 50,
    tolerance: float = 1e-9,
) -> Float64[np.ndarray, " column"]:
    """Coefficients that maximise sum(weight * log likelihood) - sum(penalty * beta^2) / 2.

    Args:
        penalty: of each column; the intercept, if wanted, is a column of ones.
        tolerance: stop after a step in which no coefficient moves further.
    """
    beta = np.zeros(X.shape[1])
    for _ in range(max_steps):
        p = 1.0 / (1.0 + np.exp(-np.clip(X @ beta, -MAX_LOGIT, MAX_LOGIT)))
        gradient = X.T @ (weight * (y - p)) - penalty * beta
        hessian = (X * (weight * p * (1 - p))[:, None]).T @ X + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.abs(step).max() < tolerance:
            break
    return beta
