"""Linear differences between options, told from what patients differ in whatever is given."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.learners.outcome_models.ard_ridge import LeastSquaresMoments, fit_ard_ridge
from posology.learners.outcome_models.target_distance import TreatedDecisions


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentInteractions:
    """margin = columns @ weights + level + slope shift + bend shift^2, each of the option's."""

    weights: Float64[np.ndarray, "feature treatment"]
    intercept: Float64[np.ndarray, " treatment"]
    slope: Float64[np.ndarray, " treatment"]
    """In log2 of the dose over the middle of the option's levels."""
    curvature: Float64[np.ndarray, " treatment"]


def fit_treatment_interactions(
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    known: TreatedDecisions,
    options: int,
) -> TreatmentInteractions:
    """Of the target that is known of the option given.

    A column matters to all options alike and, as another group, to their differences; slopes and
    bends of the dose are two more groups.
    """
    features = X.shape[1]
    own = features + 1
    start = features + own * np.arange(options)
    first = features + own * options
    width = first + 2 * options
    gram, side = np.zeros((width, width)), np.zeros(width)
    common = np.arange(features)
    for option in range(options):
        rows = np.flatnonzero(known.treatment == option)
        s, w = known.shift[rows], known.weight[rows]
        A = np.column_stack([X[rows], np.ones(len(rows)), s, s**2])
        G, b = (A * w[:, None]).T @ A, A.T @ (w * known.target[rows])
        at = np.r_[start[option] + np.arange(own), first + option, first + options + option]
        gram[np.ix_(at, at)] += G
        gram[np.ix_(common, common)] += G[:features, :features]
        gram[np.ix_(common, at)] += G[:features]
        gram[np.ix_(at, common)] += G[:, :features]
        side[at] += b
        side[:features] += b[:features]
    groups = np.full(width, -1)
    groups[:features] = common
    for option in range(options):
        groups[start[option] + common] = features + common
    groups[first : first + options] = 2 * features
    groups[first + options :] = 2 * features + 1
    power = float((known.weight * known.target**2).sum())
    found, _ = fit_ard_ridge(
        LeastSquaresMoments(gram, side, power, float(known.weight.sum())), groups
    )
    blocks = found[features:first].reshape(options, own)
    return TreatmentInteractions(
        weights=np.ascontiguousarray(found[:features, None] + blocks[:, :-1].T),
        intercept=blocks[:, -1],
        slope=found[first : first + options],
        curvature=found[first + options :],
    )


def predict_treated(
    told: TreatmentInteractions,
    X: Float64[np.ndarray, "decision feature"],  # noqa: N803
    known: TreatedDecisions,
) -> Float64[np.ndarray, " decision"]:
    """What is said of the option given at the dose given."""
    k, shift = known.treatment, known.shift
    level = (X * told.weights.T[k]).sum(axis=1) + told.intercept[k]
    return level + told.slope[k] * shift + told.curvature[k] * shift**2
