"""The weighted mean of several policies, as one policy."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float64

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import (
    AllowedMask,
    Attention,
    AttentivePolicy,
    Doses,
    OutcomePredictions,
    OutcomePredictor,
    Policy,
)
from posology.domain.profile import Profile
from posology.learners.outcome_models.predictions import choose_most_effective, doses_within_ranges


@dataclass(frozen=True, slots=True, eq=False)
class StackedPolicy:
    """Members of one study, with weights that sum to 1.

    The first members are networks: what only they can do (other outcomes, attention) is theirs.
    """

    formulary: Formulary
    profile: Profile
    members: tuple[Policy, ...]
    networks: int
    """How many of the members, the first ones, are networks."""
    effectiveness_weight: Float64[np.ndarray, " policy"]
    dose_weight: Float64[np.ndarray, " policy"]
    reward: Float64[np.ndarray, "treatment best"]
    """Mean reward of each option in training where each is the most effective one; no rows where
    that is unknown."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """The weighted mean of the members' P(option is effective); 0 for forbidden options."""
        p = np.zeros(allowed.shape)
        for member, weight in zip(self.members, self.effectiveness_weight, strict=True):
            if weight > 0:
                p += weight * member.predict_effectiveness(history, decisions, allowed).mean(axis=2)
        return p[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option of the highest expected reward.

        Where rewards of options not given are unknown: the mean of the networks' choices, which
        the reinforcement phase made from rewards.
        """
        if self.reward.size:
            every = np.ones_like(allowed)
            p = self.predict_effectiveness(history, decisions, every)[:, :, 0]
            expected = p @ self.reward.T
            return choose_most_effective(expected - expected.min(axis=1, keepdims=True), allowed)
        chosen = [
            member.choice_probabilities(history, decisions, allowed)
            for member in self.members[: self.networks]
        ]
        return np.mean(chosen, axis=0)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The weighted mean of the members' doses where the study has one dose.

        Where each option has its own: those of the first network.
        """
        first = self.members[0].predict_doses(history, decisions, allowed)
        if np.isnan(first.overall).all():
            return first
        overall = np.zeros(len(allowed))
        for number, (member, weight) in enumerate(zip(self.members, self.dose_weight, strict=True)):
            if weight > 0:
                doses = first if number == 0 else member.predict_doses(history, decisions, allowed)
                overall += weight * doses.overall.mean(axis=1)
        return doses_within_ranges(overall, self.formulary, allowed)

    def predict_outcomes(self, history: History, decisions: StepIndex) -> OutcomePredictions:
        """The first network's predictions of diagnosis, progression and time to event."""
        return cast(OutcomePredictor, self.members[0]).predict_outcomes(history, decisions)

    def attend(self, history: History, decisions: StepIndex) -> Attention:
        """Where the first network looked."""
        return cast(AttentivePolicy, self.members[0]).attend(history, decisions)
