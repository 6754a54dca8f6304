"""One ridge regression of the margin for all options, with their differences and doses.

The strongest linear model of the flattened history that we know: what patients differ in anyway is
told from what options differ in, and the data say how much each column may matter to either.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.learners.features.dose_grid import dose_levels
from posology.learners.features.tabular import FlatSpec, flat_spec, flatten
from posology.learners.outcome_models.logistic import scale
from posology.learners.outcome_models.predictions import greedy
from posology.learners.outcome_models.target_distance import (
    Chance,
    Margins,
    best_doses,
    chance,
    every_level,
    given,
)
from posology.learners.outcome_models.treatment_interactions import (
    Differences,
    differences,
    margin_of_given,
)
from posology.nn.dose_head import DoseLevels


@dataclass(frozen=True, slots=True, eq=False)
class RidgeMarginPolicy:
    """margin = columns @ weights + level + slope shift + bend shift^2, each of the option's."""

    formulary: Formulary
    profile: Profile
    spec: FlatSpec
    levels: DoseLevels
    """Doses of each option that are asked about."""
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    told: Differences
    chance: Chance

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective) at its best dose; 0 for forbidden options."""
        p = np.nanmax(self.chances(history, decisions), axis=2)
        return (p * allowed)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The most effective allowed option."""
        return greedy(self.predict_effectiveness(history, decisions, allowed)[:, :, 0], allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The best dose of each option."""
        return best_doses(self.chances(history, decisions), self.levels, self.formulary, allowed)

    def chances(self, history: History, decisions: StepIndex) -> Margins:
        """P(effective) of every option at every level."""
        X = self.columns(history, decisions)
        told = self.told
        level = X @ told.weights + told.level
        margins = every_level(
            self.levels,
            lambda k, shift: level[:, k] + told.slope[k] * shift + told.bend[k] * shift**2,
            len(decisions),
        )
        return self.chance.of(margins, self.levels)

    def columns(
        self, history: History, decisions: StepIndex
    ) -> Float64[np.ndarray, "decision feature"]:
        """Standardised; a missing number counts as the training mean."""
        X = flatten(self.spec, history, decisions)
        return np.nan_to_num((X - self.center) / self.spread).astype(np.float64)


@dataclass(frozen=True, slots=True)
class RidgeMargin:
    """Evidence chooses the strengths."""

    without: tuple[str, ...] = ()
    """Code prefixes left out."""

    def fit(self, train: Cohort, validation: Cohort) -> RidgeMarginPolicy:
        """The finished policy; nothing is left to choose on validation decisions."""
        del validation
        spec, levels = flat_spec(train, self.without), dose_levels(train)
        known = given(train, levels, "target_distance")
        X = flatten(spec, train.history, train.last_step[known.row])
        center, spread = scale(X)
        X = np.nan_to_num((X - center) / spread).astype(np.float64)
        told = differences(X, known, len(levels))
        # Few numbers are learned here, so the same decisions serve.
        asked = given(train, levels, "effective")
        Y = flatten(spec, train.history, train.last_step[asked.row])
        said = margin_of_given(told, np.nan_to_num((Y - center) / spread), asked)
        return RidgeMarginPolicy(
            train.study.formulary, train.profile, spec, levels, center, spread, told,
            chance(said, asked, len(levels)),
        )  # fmt: skip
