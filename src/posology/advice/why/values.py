"""The values of the options that reasons are about, and how sure a reason can be."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.advice.why.surrogate import FirstOptions
from posology.advice.why.what_if import Outputs, Permitted, Predict
from posology.causal.patient.effect_basis import expand_effect_basis
from posology.causal.patient.effect_posterior import EffectPosterior
from posology.domain import safety
from posology.domain.history import History, StepIndex
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.study import Study

OF_100 = 100.0
ChangeError = Callable[[tuple[int, int], Float64[np.ndarray, " output"]], float]
"""Standard error of how a change of the outputs changes the difference of two of them."""
Covariates = Callable[[History, StepIndex], Float64[np.ndarray, "decision feature"]]
Shares = Float64[np.ndarray, " treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class OptionValues:
    """What is predicted of each option; usual care may follow them as one more column."""

    predict: Predict
    names: tuple[str, ...]
    titles: tuple[str, ...]
    unit: str = ""
    """Of the values; empty where they are patients of 100."""
    error: ChangeError | None = None
    """None where the errors are not known."""


def policy_values(policy: Policy, study: Study) -> OptionValues:
    """P(effective) by the policy itself, of 100 patients."""

    def predict(history: History, decisions: StepIndex) -> tuple[Outputs, Permitted]:
        everything = allow_all_treatments(decisions, policy.formulary)
        members = policy.predict_effectiveness(history, decisions, everything)
        allowed = safety.allowed_treatments(study, policy.profile, history, decisions)
        return OF_100 * members.mean(axis=2), allowed

    treatments = study.formulary.treatments
    return OptionValues(predict, study.formulary.names, tuple(t.title for t in treatments))


def effect_values(
    posterior: EffectPosterior,
    covariates: Covariates,
    allowed: Callable[[History, StepIndex], Permitted],
    usual: tuple[str, Shares],
    options: tuple[tuple[str, ...], tuple[str, ...], str],
) -> OptionValues:
    """Effects as the effect study found them, with what it knows of their errors.

    The columns after the options are usual care, as what patients like this one are given, and the
    basis of the effects, from which the error of any change follows.

    Args:
        usual: title of usual care, and the share of each option in it.
        options: their names and titles, and the unit of their values.
    """
    (title, shares), (names, titles, unit) = usual, options
    factor, count = (1.0 if unit else OF_100), len(names)

    def predict(history: History, decisions: StepIndex) -> tuple[Outputs, Permitted]:
        columns = expand_effect_basis(posterior.basis, covariates(history, decisions))
        basis = np.hstack([columns.additive, columns.interactions])
        effect = factor * (posterior.intercept + basis @ posterior.mean.T)
        permitted = allowed(history, decisions)
        others = np.zeros((len(effect), 1 + basis.shape[1]), dtype=bool)
        return np.hstack([effect, effect @ shares[:, None], basis]), np.hstack([permitted, others])

    weights = np.vstack([np.eye(count), shares])

    def error(pair: tuple[int, int], change: Float64[np.ndarray, " output"]) -> float:
        weight, basis = weights[pair[0]] - weights[pair[1]], change[count + 1 :]
        by_option = np.einsum("kclm,c,m->kl", posterior.covariance, basis, basis, optimize=True)
        variance = float(weight @ by_option @ weight) * posterior.design_effect
        return factor * float(np.sqrt(max(variance, 0.0)))

    return OptionValues(predict, (*names, ""), (*titles, title), unit, error)


def first_by_value(values: OptionValues) -> FirstOptions:
    """The allowed option with the largest value; -1 where none is allowed."""

    def choose(history: History, decisions: StepIndex) -> Int64[np.ndarray, " decision"]:
        outputs, allowed = values.predict(history, decisions)
        first = np.where(allowed, outputs, -np.inf).argmax(axis=1)
        return np.where(np.asarray(allowed).any(axis=1), first, -1)

    return choose
