"""What patients like this one are given in usual care: a model of treatment, kept with a policy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.spline_basis import SplineBasis, expand_basis, fit_basis
from posology.causal.trial import Trial

Options = Float64[np.ndarray, " treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class UsualCare:
    """Multinomial logistic regression; without a basis, the same shares for everybody."""

    basis: SplineBasis | None
    coefficients: Float64[np.ndarray, "treatment column"]
    """The intercept first."""


def fit_usual_care(trial: Trial, is_randomised: bool) -> UsualCare:
    """Shares of the options, by covariates unless treatment was randomised."""
    shares = np.bincount(trial.treatment, minlength=trial.n_options) / len(trial)
    given = np.flatnonzero(shares)
    if is_randomised or len(given) < 2:
        return UsualCare(None, np.log(np.maximum(shares, 1e-12))[:, None])
    from sklearn.linear_model import LogisticRegression

    basis = fit_basis(trial.covariates, hinges=False, products=False)
    model = LogisticRegression(C=0.1, max_iter=200).fit(
        expand_basis(basis, trial.covariates), trial.treatment
    )
    coefficients = np.zeros((trial.n_options, 1 + model.coef_.shape[1]))
    coefficients[:, 0] = np.log(1e-12)
    weights, intercept = model.coef_, model.intercept_
    if len(given) == 2:  # one row, of the second option against the first
        weights = np.vstack([np.zeros_like(weights), weights])
        intercept = np.append(0.0, intercept)
    coefficients[given] = np.column_stack([intercept, weights])
    return UsualCare(basis, coefficients)


def usual_shares(usual: UsualCare, x: Float64[np.ndarray, " feature"]) -> Options:
    """Probability of each option in usual care; sums to 1."""
    logits = usual.coefficients[:, 0].copy()
    if usual.basis is not None:
        logits += usual.coefficients[:, 1:] @ expand_basis(usual.basis, x[None, :])[0]
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()
