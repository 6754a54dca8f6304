"""A policy whose every part is known: each option's value is a sum over the patient's facts."""

from dataclasses import dataclass

import numpy as np

from posology.domain.formulary import Formulary, Treatment
from posology.domain.history import History, StepIndex, has_code, latest_value
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile

OPTIONS = Formulary(
    (
        Treatment("a", "drug A", codes=("DRUG//a",)),
        Treatment("b", "drug B", codes=("DRUG//b",)),
        Treatment("c", "drug C", codes=("DRUG//c",)),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class LinearPolicy:
    """P(effective) = level + number weights x last number + code weights x presence."""

    profile: Profile
    level: tuple[float, ...]
    numbers: tuple[tuple[str, tuple[float, ...]], ...] = ()
    codes: tuple[tuple[str, tuple[float, ...]], ...] = ()
    formulary: Formulary = OPTIONS

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> np.ndarray:
        """The sums, one member."""
        value = np.tile(np.array(self.level), (len(decisions), 1))
        for code, weights in self.numbers:
            number = latest_value(history, decisions, self.profile.rows((code,)))
            value += np.nan_to_num(number)[:, None] * np.array(weights)
        for code, weights in self.codes:
            present = has_code(history, decisions, self.profile.rows((code,)))
            value += present[:, None] * np.array(weights)
        return (value * allowed)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> np.ndarray:
        """The largest sum."""
        value = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return np.eye(len(self.level))[np.where(allowed, value, -np.inf).argmax(axis=1)]

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The first option's value as the single dose."""
        value = self.predict_effectiveness(history, decisions, np.ones_like(allowed))[:, 0]
        return Doses(np.full(allowed.shape, np.nan), value)
