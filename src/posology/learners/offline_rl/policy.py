"""A policy on the recent past: the clinicians' behaviour and learned action values."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, choose_learned
from posology.domain.profile import Profile
from posology.domain.statistics.link_functions import softmax
from posology.learners.features.recent_window import (
    RecentRows,
    RecentWindowSpec,
    build_recent_rows,
)
from posology.learners.offline_rl.q_network import EnsembleWeights, predict_outputs


@dataclass(frozen=True, slots=True)
class ActionSelection:
    """How action values become choice probabilities."""

    value_mean: float
    value_std: float
    """Values were learned after subtracting this mean and dividing by this standard deviation."""
    temperature: float = 0.0
    """Of probabilities proportional to behaviour * exp(value / temperature); 0: the best option."""
    pessimism: float = 0.0
    """Standard deviations over members subtracted from each value."""
    min_support: float = 0.0
    """Least behaviour probability of an option, relative to the most probable one."""
    is_probability: bool = False
    """Whether values are probabilities, because every return is 0 or 1."""


@dataclass(frozen=True, slots=True, eq=False)
class RecentWindowPolicy:
    """Two small networks as arrays; without `values` it follows the clinicians' behaviour."""

    formulary: Formulary
    profile: Profile
    spec: RecentWindowSpec
    behaviour: EnsembleWeights
    selection: ActionSelection
    values: EnsembleWeights | None = None

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The learned value where it is a probability; else its normal percentile among returns.

        Without values: the behaviour probability.
        """
        rows = build_recent_rows(self.spec, history, decisions)
        if self.values is None:
            return (behaviour_probabilities(self.behaviour, rows) * allowed)[:, :, None]
        score = predict_outputs(self.values, rows).transpose(0, 2, 1)
        value = score * self.selection.value_std + self.selection.value_mean
        probability = value.clip(0.0, 1.0) if self.selection.is_probability else ndtr(score)
        return probability * allowed[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """By value among allowed and supported options; without values, the behaviour's."""
        behaviour, value = self.behaviour_and_values(history, decisions)
        if self.values is None:
            permitted = np.maximum(behaviour, 1e-12) * allowed
            return permitted / permitted.sum(axis=1, keepdims=True)
        return choose_learned(
            self.formulary,
            allowed,
            lambda among: choose_by_value(behaviour, value, among, self.selection),
        )

    def behaviour_and_values(
        self, history: History, decisions: StepIndex
    ) -> tuple[
        Float64[np.ndarray, "decision treatment"], Float64[np.ndarray, "decision treatment"]
    ]:
        """The clinicians' choice probabilities, and the lower bound of each option's value.

        The value is 0 where the policy follows the clinicians.
        """
        rows = build_recent_rows(self.spec, history, decisions)
        behaviour = behaviour_probabilities(self.behaviour, rows)
        if self.values is None:
            return behaviour, np.zeros_like(behaviour)
        outputs = predict_outputs(self.values, rows)
        values = outputs * self.selection.value_std + self.selection.value_mean
        value = values.mean(axis=1)
        if self.selection.pessimism:
            value = value - self.selection.pessimism * values.std(axis=1)
        return behaviour, value

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:  # noqa: ARG002
        """No dose is known (NaN)."""
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))


def behaviour_probabilities(
    behaviour: EnsembleWeights, rows: RecentRows
) -> Float64[np.ndarray, "decision treatment"]:
    """Probability with which clinicians choose each option."""
    return softmax(predict_outputs(behaviour, rows).mean(axis=1), axis=1)


def choose_by_value(
    behaviour: Float64[np.ndarray, "decision treatment"],
    value: Float64[np.ndarray, "decision treatment"],
    allowed: AllowedMask,
    selection: ActionSelection,
) -> Float64[np.ndarray, "decision treatment"]:
    """Choice probabilities among allowed and supported options."""
    permitted = np.where(allowed, behaviour, 0.0)
    least = selection.min_support * permitted.max(axis=1, keepdims=True)
    supported = allowed & (permitted >= least)
    if selection.temperature == 0:
        return np.eye(value.shape[1])[np.where(supported, value, -np.inf).argmax(axis=1)]
    score = np.log(np.maximum(permitted, 1e-12)) + value / selection.temperature
    return softmax(np.where(supported, score, -np.inf), axis=1)
