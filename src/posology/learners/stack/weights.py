"""Weights of a stack's members: non-negative, with sum 1, and drawn towards equal ones."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from scipy.optimize import minimize
from scipy.special import softmax

EQUAL_DECISIONS = 200.0
"""As many decisions are assumed to speak for equal weights. Our choice: plain averages are hard to
beat on hundreds of patients (Breiman 1996; van der Laan, Polley and Hubbard 2007)."""


def fit_weights(
    loss: Callable[[Float64[np.ndarray, " policy"]], float], members: int, decisions: int
) -> Float64[np.ndarray, " policy"]:
    """The weights with the lowest penalised loss.

    Args:
        loss: mean loss of the weighted mean on decisions that no member learned from.
        decisions: how many they are; with few, the weights stay near equal.
    """
    equal = np.full(members, 1 / members)
    if members == 1 or decisions == 0:
        return equal
    scale = max(loss(equal), 1e-9)
    strength = EQUAL_DECISIONS / decisions

    def penalised(raw: Float64[np.ndarray, " policy"]) -> float:
        weights = softmax(raw)
        distance = float(((weights - equal) ** 2).sum()) * members
        return loss(weights) / scale + strength * distance * _PENALTY

    best = minimize(penalised, np.zeros(members), method="Nelder-Mead", options={"maxiter": 400})
    weights = softmax(best.x)
    return np.where(weights < _LEAST, 0.0, weights) / weights[weights >= _LEAST].sum()


_PENALTY = 0.1
"""A whole weight on one of two members costs a tenth of the loss where the decisions are few."""
_LEAST = 0.02
"""A member with less is left out: it costs time and adds nothing."""
