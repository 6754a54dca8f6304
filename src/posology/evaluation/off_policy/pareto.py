"""How heavy the tail of importance weights is: the shape k of a generalised Pareto distribution.

Above 0.5 the weights have no finite variance, above 0.7 means and intervals of practical sizes may
mislead (Vehtari et al. 2024, JMLR 25:72). The fit is that of Zhang and Stephens (2009,
Technometrics 51:316) with the weak prior of Vehtari et al., appendix C.
"""

import numpy as np
from jaxtyping import Float64

HEAVY = 0.7
"""Largest k at which estimates from weights are reliable (Vehtari et al. 2024)."""
FEWEST = 5
"""Weights in the tail, below which k is unknown."""
PRIOR_WEIGHTS, PRIOR_SHAPE = 10.0, 0.5
"""The prior counts as so many weights of such a shape."""


def pareto_k(weights: Float64[np.ndarray, " weighted"]) -> float:
    """The shape of the tail: the largest fifth of the weights, at most 3 sqrt(their number).

    NaN where the tail has fewer than `FEWEST` weights, minus infinity where they are all the same:
    then there is no tail.
    """
    count = int(min(len(weights) / 5, 3 * np.sqrt(len(weights))))
    if count < FEWEST:
        return np.nan
    ordered = np.sort(weights)
    tail = ordered[-count:] - ordered[-count - 1]
    if tail[-1] <= 1e-9 * max(float(ordered[-1]), 1e-300):
        return -np.inf
    return fit_pareto_shape(tail[tail > 0])


def fit_pareto_shape(excess: Float64[np.ndarray, " excess"]) -> float:
    """k of sorted positive excesses over a threshold; a posterior mean over a grid of scales."""
    count = len(excess)
    grid = 30 + int(np.sqrt(count))
    quartile = excess[max(int(count / 4 + 0.5) - 1, 0)]
    inverse = (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * quartile)
    inverse += 1 / excess[-1]
    shape = np.log1p(-inverse[:, None] * excess).mean(axis=1)
    log_likelihood = count * (np.log(-inverse / shape) - shape - 1)
    posterior = np.exp(log_likelihood - log_likelihood.max())
    mean = float(posterior @ inverse / posterior.sum())
    k = float(np.log1p(-mean * excess).mean())
    return (count * k + PRIOR_WEIGHTS * PRIOR_SHAPE) / (count + PRIOR_WEIGHTS)
