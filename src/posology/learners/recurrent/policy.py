"""A policy that remembers: values and the clinicians' choice from the sequence of visits."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, choose_learned
from posology.domain.profile import Profile
from posology.domain.statistics.link_functions import softmax
from posology.learners.features.visit_sequences import VisitSpec, build_visits
from posology.learners.offline_rl.policy import ActionSelection, choose_by_value
from posology.learners.recurrent.weights import Outputs, RecurrentWeights, predict_outputs


@dataclass(frozen=True, slots=True, eq=False)
class RecurrentPolicy:
    """A recurrent ensemble as arrays."""

    formulary: Formulary
    profile: Profile
    spec: VisitSpec
    weights: RecurrentWeights
    selection: ActionSelection

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The learned value where it is a probability; else its normal percentile among returns."""
        score = self._outputs(history, decisions).value.transpose(0, 2, 1)
        value = score * self.selection.value_std + self.selection.value_mean
        probability = value.clip(0.0, 1.0) if self.selection.is_probability else ndtr(score)
        return probability * allowed[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """By the lower bound of the value, among allowed and supported options."""
        behaviour, value = self.behaviour_and_values(history, decisions)
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
        """The clinicians' choice probabilities, and the lower bound of each option's value."""
        outputs = self._outputs(history, decisions)
        value = outputs.value * self.selection.value_std + self.selection.value_mean
        lower = value.mean(axis=1) - self.selection.pessimism * value.std(axis=1)
        return softmax(outputs.choice, axis=2).mean(axis=1), lower

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:  # noqa: ARG002
        """No dose is known (NaN)."""
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))

    def _outputs(self, history: History, decisions: StepIndex) -> Outputs:
        return predict_outputs(self.weights, build_visits(self.spec, history, decisions))
