"""What evaluation and advice ask of any policy: a network, a rule or a baseline."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.profile import Profile

AllowedMask = Bool[np.ndarray, "decision treatment"]
"""False where safety forbids an option; every row allows at least one."""


@dataclass(frozen=True, slots=True, eq=False)
class Doses:
    """Doses as the model says them; advice rounds them to what can be dispensed."""

    by_treatment: Float64[np.ndarray, "decision treatment"]
    """NaN where a treatment has no dose."""
    overall: Float64[np.ndarray, "decision member"]
    """The one dose, whatever the option, from each ensemble member; NaN where not asked."""


@runtime_checkable
class Policy(Protocol):
    """Immutable, always ready; numpy in, numpy out. Nothing past a decision's last step is read."""

    @property
    def formulary(self) -> Formulary:
        """The options of every `treatment` axis."""
        ...

    @property
    def profile(self) -> Profile:
        """How a History must have been encoded to be asked about."""
        ...

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """P(option is effective), from each ensemble member; 0 for forbidden options."""
        ...

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """With what probability the policy would choose each option; rows sum to 1."""
        ...

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """How much of each option, and how much at all where that is the question."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Why a policy says what it says of each decision."""

    attention: Float32[np.ndarray, " visible_step"]
    """Weight of each visible step; sums to 1 over a decision's steps."""
    step: np.ndarray
    """Row of the History's step behind each weight."""
    step_decision: np.ndarray
    """Row of the decision behind each weight."""
    contribution: Float32[np.ndarray, "visible_event treatment"]
    """Change of the option's log-odds if the event were not known."""
    dose_contribution: Float32[np.ndarray, " visible_event"]
    """Change of the one dose, in its unit, if the event were not known."""
    event: np.ndarray
    """Row of the History's event behind each contribution."""
    event_decision: np.ndarray
    """Row of the decision behind each contribution."""


@runtime_checkable
class ExplainablePolicy(Protocol):
    """A policy that can also say why."""

    def explain(self, history: History, decisions: StepIndex) -> Attribution:
        """Attention per visible step and contribution per visible event."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class OutcomePredictions:
    """What is to come of each decision under the care that was usual, as each member says it.

    Targets in the order of the study's `diagnosis`, `progression` and `time_to_event`; an axis is
    empty where it asks nothing.
    """

    diagnosis: Float64[np.ndarray, "decision condition member"]
    """P(it comes within its horizon)."""
    progression: Float64[np.ndarray, "decision measure member"]
    """The number expected, in its unit."""
    progression_error: Float64[np.ndarray, " measure"]
    """Distance from the members' mean that 95 of 100 numbers kept in validation patients; NaN where
    they were too few to tell."""
    survival: Float64[np.ndarray, "decision incident interval member"]
    """P(no event through the end of each interval), equal parts of the target's window."""


@runtime_checkable
class OutcomePredictor(Protocol):
    """A policy that also says what is to come."""

    def predict_outcomes(self, history: History, decisions: StepIndex) -> OutcomePredictions:
        """Diagnosis, progression and time to event of every decision."""
        ...


@runtime_checkable
class Learner(Protocol):
    """Hyper-parameters only; what it returns is finished."""

    def fit(self, train: Cohort, validation: Cohort) -> Policy:
        """Learn from the first cohort, choose on the second; neither is ever the test split."""
        ...


def allow_all_treatments(decisions: StepIndex, formulary: Formulary) -> AllowedMask:
    """The mask of a study without safety rules."""
    return np.ones((len(decisions), len(formulary.treatments)), dtype=bool)
