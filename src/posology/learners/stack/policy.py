"""The weighted mean of several policies, as one policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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
    Prediction,
    choose_learned,
    predict_with,
)
from posology.domain.profile import Profile
from posology.learners.outcome_models.predictions import choose_most_effective, doses_within_ranges

REWARD, EFFECTIVENESS, NETWORK = "reward", "effectiveness", "network"
"""What the choice among the options follows: the expected reward where the reward of every option
is known; P(effective); the first network's second phase, where that found a better policy."""


@dataclass(frozen=True, slots=True, eq=False)
class StackedPolicy:
    """Members of one study, with weights that sum to 1.

    The first members are networks: what only they can do (other outcomes, attention) is theirs.
    """

    formulary: Formulary
    profile: Profile
    members: tuple[Policy, ...]
    networks: int
    """How many of the members, the first ones, are networks. They have the same weight."""
    effectiveness_weight: Float64[np.ndarray, " policy"]
    dose_weight: Float64[np.ndarray, " policy"]
    reward: Float64[np.ndarray, "treatment best"]
    """Mean reward of each option in training where each is the most effective one; no columns
    where that is unknown."""
    chooses_by: str = REWARD
    """REWARD, EFFECTIVENESS or NETWORK."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The weighted mean of P(option is effective), by member of the networks' ensembles.

        0 for forbidden options.
        """
        weights = self.effectiveness_weight
        parts = [
            member.predict_effectiveness(history, decisions, np.ones_like(allowed))
            for member, weight in zip(self.members, weights, strict=True)
            if weight > 0
        ]
        return self._mix_effectiveness(parts) * allowed[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option that is best by what the policy chooses by."""
        if self.chooses_by == NETWORK:
            return self.members[0].choice_probabilities(history, decisions, allowed)
        p = self.predict_effectiveness(history, decisions, np.ones_like(allowed))
        return self._choose(p, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The weighted mean of the dose where the study has one, by member of the ensembles.

        Where each option has its own: those of the first network.
        """
        first = self.members[0].predict_doses(history, decisions, allowed)
        if np.isnan(first.overall).all():
            return first
        parts = [
            first.overall
            if number == 0
            else member.predict_doses(history, decisions, allowed).overall
            for number, (member, weight) in enumerate(
                zip(self.members, self.dose_weight, strict=True)
            )
            if weight > 0
        ]
        return self._mix_doses(parts, allowed)

    def predict(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Prediction:
        """All of it, with one question to each member, about what has its weight."""
        by_network = self.chooses_by == NETWORK
        seen = allowed if by_network else np.ones_like(allowed)
        effectiveness, doses, choice = {}, {}, None
        for number, member in enumerate(self.members):
            judges = self.effectiveness_weight[number] > 0
            gives_dose = number == 0 or self.dose_weight[number] > 0
            if (judges and gives_dose) or (by_network and number == 0):
                answer = predict_with(member, history, decisions, seen)
                effectiveness[number], doses[number] = answer.effectiveness, answer.doses
                choice = answer.choice if number == 0 else choice
            elif judges:
                effectiveness[number] = member.predict_effectiveness(history, decisions, seen)
            elif gives_dose:
                doses[number] = member.predict_doses(history, decisions, seen)
        p = self._mix_effectiveness(
            [effectiveness[n] for n in np.flatnonzero(self.effectiveness_weight)]
        )
        own = Doses(np.where(allowed, doses[0].by_treatment, np.nan), doses[0].overall)
        if not np.isnan(own.overall).all():
            overall = [doses[n].overall for n in np.flatnonzero(self.dose_weight)]
            own = self._mix_doses(overall, allowed)
        chosen = choice if by_network and choice is not None else self._choose(p, allowed)
        return Prediction(p * allowed[:, :, None], chosen, own)

    def _mix_effectiveness(
        self, parts: Sequence[Float64[np.ndarray, "decision treatment _"]]
    ) -> Float64[np.ndarray, "decision treatment member"]:
        weights = self.effectiveness_weight
        return np.clip(_mix(parts, weights[weights > 0], self._networks_in(weights)), 0.0, 1.0)

    def _choose(
        self, p: Float64[np.ndarray, "decision treatment member"], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        mean = p.mean(axis=2)
        score = mean if self.chooses_by == EFFECTIVENESS else mean @ self.reward.T
        return choose_learned(self.formulary, allowed, partial(choose_most_effective, score))

    def _mix_doses(
        self, parts: Sequence[Float64[np.ndarray, "decision _"]], allowed: AllowedMask
    ) -> Doses:
        weights = self.dose_weight
        mixed = _mix(parts, weights[weights > 0], self._networks_in(weights))
        overall = np.maximum(mixed, 0.0)
        within = doses_within_ranges(overall.mean(axis=1), self.formulary, allowed)
        return Doses(within.by_treatment, overall)

    def predict_outcomes(self, history: History, decisions: StepIndex) -> OutcomePredictions:
        """The first network's predictions of diagnosis, progression and time to event."""
        return cast(OutcomePredictor, self.members[0]).predict_outcomes(history, decisions)

    def attend(self, history: History, decisions: StepIndex) -> Attention:
        """Where the first network looked."""
        return cast(AttentivePolicy, self.members[0]).attend(history, decisions)

    def _networks_in(self, weights: Float64[np.ndarray, " policy"]) -> int:
        return int((weights[: self.networks] > 0).sum())


def _mix(
    parts: Sequence[Float64[np.ndarray, "... _"]],
    weights: Float64[np.ndarray, " part"],
    networks: int,
) -> Float64[np.ndarray, "... member"]:
    """The weighted mean, which differs by member of the networks' ensembles as they do.

    The other parts, one answer each, do not vary; without a network there is one member.
    """
    mean = sum(w * part.mean(axis=-1) for w, part in zip(weights, parts, strict=True))
    center = np.asarray(mean)[..., None]
    if not networks:
        return center
    spread = [part - part.mean(axis=-1, keepdims=True) for part in parts[:networks]]
    return center + weights[:networks].sum() * np.concatenate(spread, axis=-1)
