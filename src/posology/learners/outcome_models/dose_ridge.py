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
from posology.learners.features.dose_grid import observed_dose_levels
from posology.learners.features.tabular import FeatureSpec, build_feature_spec, extract_features
from posology.learners.outcome_models.logistic import scale
from posology.learners.outcome_models.predictions import choose_most_effective
from posology.learners.outcome_models.target_distance import (
    DoseGrid,
    EffectivenessLink,
    best_doses,
    evaluate_dose_grid,
    fit_effectiveness_link,
    treated_decisions,
)
from posology.learners.outcome_models.treatment_interactions import (
    TreatmentInteractions,
    fit_treatment_interactions,
    predict_treated,
)
from posology.nn.dose_head import DoseLevels


@dataclass(frozen=True, slots=True, eq=False)
class DoseRidgePolicy:
    """margin = columns @ weights + level + slope shift + bend shift^2, each of the option's."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    levels: DoseLevels
    """Doses of each option that are asked about."""
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    interactions: TreatmentInteractions
    link: EffectivenessLink

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
        return choose_most_effective(
            self.predict_effectiveness(history, decisions, allowed)[:, :, 0], allowed
        )

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The best dose of each option."""
        return best_doses(self.chances(history, decisions), self.levels, self.formulary, allowed)

    def chances(self, history: History, decisions: StepIndex) -> DoseGrid:
        """P(effective) of every option at every level."""
        X = self.columns(history, decisions)
        told = self.interactions
        level = X @ told.weights + told.intercept
        margins = evaluate_dose_grid(
            self.levels,
            lambda k, shift: level[:, k] + told.slope[k] * shift + told.curvature[k] * shift**2,
            len(decisions),
        )
        return self.link.probability(margins, self.levels)

    def columns(
        self, history: History, decisions: StepIndex
    ) -> Float64[np.ndarray, "decision feature"]:
        """Standardised; a missing number counts as the training mean."""
        X = extract_features(self.spec, history, decisions)
        return np.nan_to_num((X - self.center) / self.spread).astype(np.float64)


@dataclass(frozen=True, slots=True)
class DoseRidgeLearner:
    """Evidence chooses the strengths."""

    excluded_prefixes: tuple[str, ...] = ()
    """Code prefixes left out."""

    def fit(self, train: Cohort, validation: Cohort) -> DoseRidgePolicy:
        """The finished policy; nothing is left to choose on validation decisions."""
        del validation
        spec, levels = (
            build_feature_spec(train, self.excluded_prefixes),
            observed_dose_levels(train),
        )
        known = treated_decisions(train, levels, "target_distance")
        X = extract_features(spec, train.history, train.last_step[known.row])
        center, spread = scale(X)
        X = np.nan_to_num((X - center) / spread).astype(np.float64)
        told = fit_treatment_interactions(X, known, len(levels))
        # Few numbers are learned here, so the same decisions serve.
        asked = treated_decisions(train, levels, "effective")
        Y = extract_features(spec, train.history, train.last_step[asked.row])
        said = predict_treated(told, np.nan_to_num((Y - center) / spread), asked)
        return DoseRidgePolicy(
            train.study.formulary, train.profile, spec, levels, center, spread, told,
            fit_effectiveness_link(said, asked, len(levels)),
        )  # fmt: skip
