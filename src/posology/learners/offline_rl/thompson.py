"""Exploration, for simulators and approved trials alone: Thompson sampling over members.

Nothing in posology uses it unasked. Each patient is treated as one member of the ensemble, drawn at
random, thinks best (Osband et al. 2016, arXiv:1602.04621), never against the safety mask.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, Policy
from posology.domain.profile import Profile
from posology.errors import UserError


@dataclass(frozen=True, slots=True, eq=False)
class Exploring:
    """A policy that tries what its members disagree about."""

    policy: Policy

    @property
    def formulary(self) -> Formulary:
        """The policy's own."""
        return self.policy.formulary

    @property
    def profile(self) -> Profile:
        """The policy's own."""
        return self.policy.profile

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The policy's own."""
        return self.policy.predict_effectiveness(history, decisions, allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The share of members that think each option best: what to log as its chance."""
        said = self.policy.predict_effectiveness(history, decisions, allowed)
        best = np.where(allowed[:, :, None], said, -np.inf).argmax(axis=1)
        return np.eye(allowed.shape[1])[best].mean(axis=1)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The policy's own."""
        return self.policy.predict_doses(history, decisions, allowed)


def explore(policy: Policy, *, simulated: bool = False) -> Exploring:
    """The policy, exploring; UserError unless it is said that no patient is real."""
    if not simulated:
        raise UserError(
            "exploration gives patients what is not believed best, to learn from it; it is for "
            "simulators and approved trials: say explore(policy, simulated=True) where one of "
            "them is what you have"
        )
    return Exploring(policy)
