"""Exploration by Thompson sampling over ensemble members, for simulators and approved trials only.

Nothing in posology uses it by default. Each patient receives the best allowed option of one member
of the ensemble, drawn at random (Osband et al. 2016, arXiv:1602.04621).
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
class ThompsonPolicy:
    """A policy that samples options by the share of members that prefer them."""

    policy: Policy

    @property
    def formulary(self) -> Formulary:
        """The same as the policy's."""
        return self.policy.formulary

    @property
    def profile(self) -> Profile:
        """The same as the policy's."""
        return self.policy.profile

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The same as the policy's."""
        return self.policy.predict_effectiveness(history, decisions, allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """Share of members that prefer each option: the probability to log."""
        values = self.policy.predict_effectiveness(history, decisions, allowed)
        best = np.where(allowed[:, :, None], values, -np.inf).argmax(axis=1)
        return np.eye(allowed.shape[1])[best].mean(axis=1)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The same as the policy's."""
        return self.policy.predict_doses(history, decisions, allowed)


def explore(policy: Policy, *, simulated: bool = False) -> ThompsonPolicy:
    """The policy with Thompson sampling; UserError unless `simulated` confirms it is allowed."""
    if not simulated:
        raise UserError(
            "exploration gives patients options that are not predicted to be the best; it is for "
            "simulators and approved trials only: call explore(policy, simulated=True) there"
        )
    return ThompsonPolicy(policy)
