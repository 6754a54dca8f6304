"""A guideline that ranks the options, as a policy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex, has_code
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.domain.safety import history_facts, is_condition_met
from posology.domain.study import Rule
from posology.learners.outcome_models.predictions import choose_most_effective


@dataclass(frozen=True, slots=True, eq=False)
class PreferenceListPolicy:
    """The first line of the rule whose condition holds ranks the options."""

    formulary: Formulary
    profile: Profile
    rule: Rule

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """1 for the first option, 1/2 for the second, and so on, scaled to sum to 1.

        A guideline gives no probability: this score ranks options and is not calibrated.
        """
        rank = self._rank(history, decisions).astype(np.float64)
        score = np.where(allowed, 1.0 / (1.0 + rank), 0.0)
        return (score / score.sum(axis=1, keepdims=True))[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The most preferred option that is allowed."""
        score = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return choose_most_effective(score, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """NaN: the guideline states no dose."""
        del history
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))

    def _rank(
        self, history: History, decisions: StepIndex
    ) -> Int64[np.ndarray, "decision treatment"]:
        """0 for the first option; unranked ones last; options tried before after all others."""
        names = self.formulary.names
        rank = np.full((len(decisions), len(names)), len(names))
        undecided = np.ones(len(decisions), dtype=bool)
        facts = history_facts(self.profile, history, decisions)
        for line in self.rule.order:
            holds = np.full(len(decisions), not (line.visible or line.ranges))
            holds |= is_condition_met(facts, line.visible, line.ranges)
            rows = undecided & holds
            for place, name in enumerate(line.prefer):
                rank[rows, names.index(name)] = place
            undecided &= ~holds
        if self.rule.skip_tried:
            for column, treatment in enumerate(self.formulary.treatments):
                tried = has_code(history, decisions, self.profile.rows(treatment.codes))
                rank[tried, column] += len(names) + 1
        return rank
