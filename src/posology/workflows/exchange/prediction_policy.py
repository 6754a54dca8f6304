"""Predictions that another program made for a cohort's decisions, as a policy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex, subject_rows
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.errors import UserError


@dataclass(frozen=True, slots=True, eq=False)
class PredictionTablePolicy:
    """One row a known decision, in order of subject and step; it predicts no other decision."""

    formulary: Formulary
    profile: Profile
    subject_id: Int64[np.ndarray, " row"]
    step: Int64[np.ndarray, " row"]
    """Last visible step of the decision, counted from the subject's first."""
    effectiveness: Float64[np.ndarray, "row treatment"]
    choice: Float64[np.ndarray, "row treatment"]
    dose: Float64[np.ndarray, " row"]
    """Dose of the option that the row chooses; NaN where it has none."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(effective) as imported; where there was none, the choice, which ranks options only."""
        return np.where(allowed, self.effectiveness[self._rows(history, decisions)], 0.0)[..., None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The imported choice; without forbidden options, and among all others if none is left."""
        choice = np.where(allowed, self.choice[self._rows(history, decisions)], 0.0)
        total = choice.sum(axis=1, keepdims=True)
        others = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
        return np.where(total > 0, choice / np.where(total > 0, total, 1.0), others)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The imported dose, of the option chosen."""
        del allowed
        rows = self._rows(history, decisions)
        chosen = (
            np.arange(len(self.formulary.treatments)) == self.choice[rows].argmax(axis=1)[:, None]
        )
        dose = self.dose[rows][:, None]
        return Doses(np.where(chosen, dose, np.nan), dose)

    def _rows(self, history: History, decisions: StepIndex) -> Int64[np.ndarray, " decision"]:
        """The row of each decision; UserError where there is none."""
        subject = subject_rows(history, decisions)
        wanted = history.subject_id[subject]
        step = decisions - history.step_offsets[subject]
        known, place = np.unique(self.subject_id, return_inverse=True)
        width = int(max(self.step.max(initial=0), step.max(initial=0))) + 1
        keys = place * width + self.step
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        key = at * width + step
        row = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        missing = (known[at] != wanted) | (keys[row] != key)
        if missing.any():
            raise UserError(
                f"the imported predictions have no row for {missing.sum():,} of {len(row):,} "
                "decisions; predict every decision of the split that is evaluated."
            )
        return row
