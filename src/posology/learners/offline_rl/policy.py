"""A policy that reads the recent past: what clinicians usually do, and what each option earns."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.learners.features.recent_window import Recent, RecentSpec, recent
from posology.learners.offline_rl.q_network import Weights, answers


@dataclass(frozen=True, slots=True)
class Acting:
    """How values become probabilities."""

    center: float
    spread: float
    """Values were learned with this mean and standard deviation taken out."""
    temperature: float = 0.0
    """Of probabilities proportional to behaviour * exp(value / temperature); 0: only the best."""
    pessimism: float = 0.0
    """Standard deviations over members taken off each value."""
    rare: float = 0.0
    """Options given less often than this share of the most usual one are left out."""
    chance: bool = False
    """Whether values are probabilities, as where all that is earned is 0 or 1."""


@dataclass(frozen=True, slots=True, eq=False)
class RecentPolicy:
    """Two small networks as arrays; without values it does what clinicians do."""

    formulary: Formulary
    profile: Profile
    spec: RecentSpec
    behaviour: Weights
    acting: Acting
    values: Weights | None = None

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The learned value where it is a probability; else the share of decisions that earned
        less, as if what they earned were normal; without values, how usual the option is."""
        rows = recent(self.spec, history, decisions)
        if self.values is None:
            return (usage(self.behaviour, rows) * allowed)[:, :, None]
        said = answers(self.values, rows).transpose(0, 2, 1)
        chance = (said * self.acting.spread + self.acting.center).clip(0.0, 1.0)
        return np.where(self.acting.chance, chance, ndtr(said)) * allowed[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """Around what clinicians do, among what is allowed and usual."""
        rows = recent(self.spec, history, decisions)
        behaviour = usage(self.behaviour, rows)
        if self.values is None:
            kept = np.maximum(behaviour, 1e-12) * allowed
            return kept / kept.sum(axis=1, keepdims=True)
        said = answers(self.values, rows) * self.acting.spread + self.acting.center
        value = said.mean(axis=1)
        if self.acting.pessimism:
            value = value - self.acting.pessimism * said.std(axis=1)
        return act(behaviour, value, allowed, self.acting)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:  # noqa: ARG002
        """None is known."""
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))


def usage(behaviour: Weights, rows: Recent) -> Float64[np.ndarray, "decision treatment"]:
    """How often clinicians give each option."""
    logits = answers(behaviour, rows).mean(axis=1)
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def act(
    behaviour: Float64[np.ndarray, "decision treatment"],
    value: Float64[np.ndarray, "decision treatment"],
    allowed: AllowedMask,
    acting: Acting,
) -> Float64[np.ndarray, "decision treatment"]:
    """Probabilities of values."""
    given = np.where(allowed, behaviour, 0.0)
    kept = allowed & (given >= acting.rare * given.max(axis=1, keepdims=True))
    if acting.temperature == 0:
        return np.eye(value.shape[1])[np.where(kept, value, -np.inf).argmax(axis=1)]
    score = np.log(np.maximum(given, 1e-12)) + value / acting.temperature
    score = np.where(kept, score, -np.inf)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)
