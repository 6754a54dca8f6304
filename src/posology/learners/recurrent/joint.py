"""Two ways to read a history, judged together: a recurrent state, and the last few visits.

Where one of them fails, the mean of their values' lower bounds loses less (our choice;
docs/decisions/histories.md).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.policy import (
    ActionSelection,
    RecentWindowPolicy,
    choose_by_value,
)
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.recurrent.learner import RecurrentQ
from posology.learners.recurrent.policy import RecurrentPolicy


@dataclass(frozen=True, slots=True, eq=False)
class JointValuePolicy:
    """The best option by the mean of two policies' values."""

    recurrent: RecurrentPolicy
    window: RecentWindowPolicy

    @property
    def formulary(self) -> Formulary:
        """The options."""
        return self.recurrent.formulary

    @property
    def profile(self) -> Profile:
        """The encoding of histories."""
        return self.recurrent.profile

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The members of both policies."""
        both = (self.recurrent, self.window)
        return np.concatenate(
            [each.predict_effectiveness(history, decisions, allowed) for each in both], axis=2
        )

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """By the mean of the lower bounds, among allowed and supported options."""
        behaviour, value = self.behaviour_and_values(history, decisions)
        return choose_by_value(behaviour, value, allowed, self._selection)

    def behaviour_and_values(
        self, history: History, decisions: StepIndex
    ) -> tuple[
        Float64[np.ndarray, "decision treatment"], Float64[np.ndarray, "decision treatment"]
    ]:
        """Means of the clinicians' choice probabilities and of the values' lower bounds."""
        first, first_value = self.recurrent.behaviour_and_values(history, decisions)
        second, second_value = self.window.behaviour_and_values(history, decisions)
        return (first + second) / 2, (first_value + second_value) / 2

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """No dose is known (NaN)."""
        return self.recurrent.predict_doses(history, decisions, allowed)

    @property
    def _selection(self) -> ActionSelection:
        return self.recurrent.selection


@dataclass(frozen=True, slots=True)
class JointValues:
    """Learner of both."""

    recurrent: RecurrentQ
    window: PessimisticFQI

    def fit(self, train: Cohort, validation: Cohort) -> JointValuePolicy:
        """Fit both on the same patients."""
        return JointValuePolicy(
            self.recurrent.fit(train, validation), self.window.fit(train, validation)
        )


def joint_values(seed: int = 0) -> JointValues:
    """The learner with this seed."""
    return JointValues(RecurrentQ(seed=seed), PessimisticFQI(QNetworkSettings(seed=seed)))
