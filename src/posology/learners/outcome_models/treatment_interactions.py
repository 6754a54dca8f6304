"""Linear effects of patient features shared by all options, and differences between options."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.learners.outcome_models.ard_ridge import LeastSquaresMoments, fit_ard_ridge
from posology.learners.outcome_models.target_distance import TreatedDecisions


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentInteractions:
    """distance = columns @ weights + intercept + slope shift + curvature shift^2, per option."""

    weights: Float64[np.ndarray, "feature treatment"]
    intercept: Float64[np.ndarray, " treatment"]
    slope: Float64[np.ndarray, " treatment"]
    """In log2 of the dose over the middle of the option's levels."""
    curvature: Float64[np.ndarray, " treatment"]


def fit_treatment_interactions(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    treated: TreatedDecisions,
    options: int,
) -> TreatmentInteractions:
    """Fit the target of the treatment received by ridge regression with learned penalties.

    Each column has one penalty for its effect shared by all options and one for the differences
    between them; slopes and curvatures of the dose have one each.
    """
    features = X.shape[1]
    own = features + 1
    start = features + own * np.arange(options)
    first = features + own * options
    width = first + 2 * options
    gram, cross = np.zeros((width, width)), np.zeros(width)
    common = np.arange(features)
    for option in range(options):
        rows = np.flatnonzero(treated.treatment == option)
        s, w = treated.shift[rows], treated.weight[rows]
        A = np.column_stack([X[rows], np.ones(len(rows)), s, s**2])
        G, b = (A * w[:, None]).T @ A, A.T @ (w * treated.target[rows])
        at = np.r_[start[option] + np.arange(own), first + option, first + options + option]
        gram[np.ix_(at, at)] += G
        gram[np.ix_(common, common)] += G[:features, :features]
        gram[np.ix_(common, at)] += G[:features]
        gram[np.ix_(at, common)] += G[:, :features]
        cross[at] += b
        cross[:features] += b[:features]
    groups = np.full(width, -1)
    groups[:features] = common
    for option in range(options):
        groups[start[option] + common] = features + common
    groups[first : first + options] = 2 * features
    groups[first + options :] = 2 * features + 1
    target_squares = float((treated.weight * treated.target**2).sum())
    beta, _ = fit_ard_ridge(
        LeastSquaresMoments(gram, cross, target_squares, float(treated.weight.sum())), groups
    )
    blocks = beta[features:first].reshape(options, own)
    return TreatmentInteractions(
        weights=np.ascontiguousarray(beta[:features, None] + blocks[:, :-1].T),
        intercept=blocks[:, -1],
        slope=beta[first : first + options],
        curvature=beta[first + options :],
    )


def predict_treated(
    interactions: TreatmentInteractions,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    treated: TreatedDecisions,
) -> Float64[np.ndarray, " decision"]:
    """Predicted target of the treatment received at the dose received."""
    k, shift = treated.treatment, treated.shift
    level = (X * interactions.weights.T[k]).sum(axis=1) + interactions.intercept[k]
    return level + interactions.slope[k] * shift + interactions.curvature[k] * shift**2
