"""Two ways to read a history, judged together: a recurrent state, and the last few visits.

The policy's values are a weighted mean of both lower bounds; validation patients give the weights
(docs/decisions/histories.md).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, choose_learned
from posology.domain.profile import Profile
from posology.learners.features.rewards import permitted_treatments, with_last_states
from posology.learners.offline_rl.pessimistic_fqi import LEARNING_RATE, PessimisticFQI
from posology.learners.offline_rl.policy import (
    ActionSelection,
    RecentWindowPolicy,
    choose_by_value,
)
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.td_errors import target_weights, td_targets
from posology.learners.recurrent.learner import RecurrentQ
from posology.learners.recurrent.policy import RecurrentPolicy

Values = Float64[np.ndarray, "decision treatment"]

EQUAL = 0.5
"""What both policies deserve, for all that is known before patients give a weight."""
PRIOR = 200
"""Decisions that speak for equal weights beforehand; as in the stack."""


@dataclass(frozen=True, slots=True, eq=False)
class JointValuePolicy:
    """The best option by the weighted mean of two policies' values."""

    recurrent: RecurrentPolicy
    window: RecentWindowPolicy
    weight: float = EQUAL
    """Of the recurrent policy's values; 0 to 1."""

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
        """By the weighted mean of the lower bounds, among allowed and supported options."""
        behaviour, value = self.behaviour_and_values(history, decisions)
        return choose_learned(
            self.formulary,
            allowed,
            lambda among: choose_by_value(behaviour, value, among, self._selection),
        )

    def behaviour_and_values(
        self, history: History, decisions: StepIndex
    ) -> tuple[
        Float64[np.ndarray, "decision treatment"], Float64[np.ndarray, "decision treatment"]
    ]:
        """The mean of the clinicians' choice probabilities; the weighted one of the values."""
        first, first_value = self.recurrent.behaviour_and_values(history, decisions)
        second, second_value = self.window.behaviour_and_values(history, decisions)
        value = self.weight * first_value + (1 - self.weight) * second_value
        return (first + second) / 2, value

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
        """Fit both on the same patients, and weigh them on the validation patients."""
        recurrent = self.recurrent.fit(train, validation)
        window = self.window.fit(train, validation)
        return weigh_by_outcomes(JointValuePolicy(recurrent, window), validation)


def weigh_by_outcomes(policy: JointValuePolicy, validation: Cohort) -> JointValuePolicy:
    """The same with the weight that the outcomes of patients give of whom neither learned."""
    seen = with_last_states(validation, validation.study.reward.discount)
    first, second = (
        each.behaviour_and_values(seen.history, seen.last_step)
        for each in (policy.recurrent, policy.window)
    )
    supported = policy.recurrent.selection.min_support
    weight = fit_value_weight((first[1], second[1]), (first[0] + second[0]) / 2, seen, supported)
    return replace(policy, weight=weight)


def fit_value_weight(
    values: tuple[Values, Values], behaviour: Values, seen: Cohort, min_support: float
) -> float:
    """Weight of the first values, of two, that best explains what differs between options.

    Least squares, as in the R-learner (Nie and Wager 2021, doi:10.1093/biomet/asaa076, eq. 4): the
    reward and the value of the next state, less the state's value under usual care, on the
    advantage that either gives the treatment received over usual care. Values by themselves would
    mostly weigh how well either distinguishes states. Drawn towards 1/2 as if `PRIOR` more
    decisions spoke for that.

    Args:
        behaviour: probability of each option under usual care.
        seen: patients of whom neither was learned, with their last states.
        min_support: least probability of an option of the next state, relative to its greatest.
    """
    permitted = behaviour * permitted_treatments(seen)
    share = permitted / permitted.sum(axis=1, keepdims=True)
    value = (values[0] + values[1]) / 2
    row, received = np.arange(len(seen)), np.maximum(seen.treatment, 0)
    rest = td_targets(value, behaviour, seen, min_support) - (share * value).sum(axis=1)
    first, second = (v[row, received] - (share * v).sum(axis=1) for v in values)
    weight = target_weights(seen)
    known = weight > 0
    apart, rest, weight = (first - second)[known], (rest - second)[known], weight[known]
    square = float((weight * apart**2).sum())
    if square == 0.0:
        return EQUAL
    prior = PRIOR / known.sum()
    found = ((weight * apart * rest).sum() / square + EQUAL * prior) / (1 + prior)
    return float(np.clip(found, 0.0, 1.0))


def joint_values(seed: int = 0) -> JointValues:
    """The learner with this seed.

    Fitted values see what came of each treatment, learn fast and stop soon: with five times the
    passes they fit the noise (docs/decisions/histories.md).
    """
    settings = QNetworkSettings(
        learning_rate=LEARNING_RATE, epochs=10, batches=15, responses=True, seed=seed
    )
    return JointValues(RecurrentQ(seed=seed), PessimisticFQI(settings))
