"""What every policy offers to evaluation and advice, whether network, guideline or baseline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.profile import Profile

AllowedMask = Bool[np.ndarray, "decision treatment"]
"""False where a safety rule forbids an option; every row allows at least one."""
Choice = Float64[np.ndarray, "decision treatment"]
"""Probability that a policy chooses each option; rows sum to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Doses:
    """Predicted doses, before they are rounded to what can be dispensed."""

    by_treatment: Float64[np.ndarray, "decision treatment"]
    """NaN where a treatment has no dose."""
    overall: Float64[np.ndarray, "decision member"]
    """The study's single dose, the same for every option, by ensemble member; NaN if none."""


@runtime_checkable
class Policy(Protocol):
    """An immutable, fitted policy: NumPy arrays in and out.

    A decision's prediction never depends on events after its last step.
    """

    @property
    def formulary(self) -> Formulary:
        """The options of every `treatment` axis."""
        ...

    @property
    def profile(self) -> Profile:
        """The encoding that a History must have."""
        ...

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """P(option is effective) by ensemble member; 0 for forbidden options."""
        ...

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """Probability that the policy chooses each option, pi(a | h); rows sum to 1."""
        ...

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """Dose of each option, and the study's single dose if it has one."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """All that a policy predicts of some decisions."""

    effectiveness: Float64[np.ndarray, "decision treatment member"]
    """As of `Policy.predict_effectiveness`."""
    choice: Float64[np.ndarray, "decision treatment"]
    """As of `Policy.choice_probabilities`."""
    doses: Doses


@runtime_checkable
class JointPolicy(Protocol):
    """A policy that predicts all of it at once, in less time than one by one."""

    def predict(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Prediction:
        """Effectiveness, choice and doses."""
        ...


def predict_with(
    policy: Policy, history: History, decisions: StepIndex, allowed: AllowedMask
) -> Prediction:
    """Effectiveness, choice and doses; at once where the policy can."""
    if isinstance(policy, JointPolicy):
        return policy.predict(history, decisions, allowed)
    return Prediction(
        effectiveness=policy.predict_effectiveness(history, decisions, allowed),
        choice=policy.choice_probabilities(history, decisions, allowed),
        doses=policy.predict_doses(history, decisions, allowed),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """Where a model looked, for each decision. It is not the reason for a prediction."""

    weight: Float64[np.ndarray, " visible_step"]
    """Of each visible step; sums to 1 over a decision's steps."""
    step: Int64[np.ndarray, " visible_step"]
    """Row of the History's step of each weight."""
    decision: Int64[np.ndarray, " visible_step"]
    """Row of the decision of each weight."""


@runtime_checkable
class AttentivePolicy(Protocol):
    """A policy that weights the steps of a history."""

    def attend(self, history: History, decisions: StepIndex) -> Attention:
        """The weight of each visible step of each decision."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class OutcomePredictions:
    """Predicted outcomes of each decision under usual care, by ensemble member.

    Axes follow the study's `diagnosis`, `progression` and `time_to_event` targets; an axis is
    empty if the study has no such target.
    """

    diagnosis: Float64[np.ndarray, "decision condition member"]
    """P(the diagnosis is made within its window)."""
    progression: Float64[np.ndarray, "decision progression member"]
    """Expected value, in the target's unit."""
    progression_error: Float64[np.ndarray, " progression"]
    """Half-width of the 95 % prediction interval around the members' mean, from validation
    patients; NaN if they are too few."""
    survival: Float64[np.ndarray, "decision time_to_event interval member"]
    """P(no event by the end of each interval); the intervals divide the target's window equally."""


@runtime_checkable
class OutcomePredictor(Protocol):
    """A policy that also predicts the study's other outcomes."""

    def predict_outcomes(self, history: History, decisions: StepIndex) -> OutcomePredictions:
        """Diagnosis, progression and time to event of every decision."""
        ...


@runtime_checkable
class Learner(Protocol):
    """Hyper-parameters of a learning method; `fit` returns a finished policy."""

    def fit(self, train: Cohort, validation: Cohort) -> Policy:
        """Fit on `train` and select on `validation`; neither may be the test split."""
        ...


def allow_all_treatments(decisions: StepIndex, formulary: Formulary) -> AllowedMask:
    """The mask of a study without safety rules."""
    return np.ones((len(decisions), len(formulary.treatments)), dtype=bool)


def choose_learned(
    formulary: Formulary, allowed: AllowedMask, choose: Callable[[AllowedMask], Choice]
) -> Choice:
    """What a policy chooses among the allowed options that it learned.

    Of an option that was not learned a policy predicts something, but knows nothing. Where no
    allowed option was learned, it prefers none: each has the same probability.
    """
    if not formulary.unlearned:
        return choose(allowed)
    known = allowed & formulary.is_learned
    is_known = known.any(axis=1, keepdims=True)
    chosen = choose(np.where(is_known, known, allowed))
    return np.where(is_known, chosen, allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1))
