"""Ridge regression of the target distance on patient, option and dose, for all options at once.

The strongest linear model of the tabular features that we know: effects shared by all options are
separated from differences between options, and the data set each column's penalty for both.
"""

from dataclasses import dataclass

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.scaling import mean_and_std, standardize
from posology.learners.features.dose_grid import observed_dose_levels
from posology.learners.features.tabular import build_feature_spec, extract_features
from posology.learners.outcome_models.dose_grid_policy import (
    DoseGridPolicy,
    fit_effectiveness_link,
)
from posology.learners.outcome_models.target_distance import treated_decisions
from posology.learners.outcome_models.treatment_interactions import (
    fit_treatment_interactions,
    predict_treated,
)


@dataclass(frozen=True, slots=True)
class DoseRidgeLearner:
    """The marginal likelihood sets the penalties."""

    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""

    def fit(self, train: Cohort, validation: Cohort) -> DoseGridPolicy:
        """Fit on the training decisions; the validation decisions are not used."""
        del validation
        spec = build_feature_spec(train, self.excluded_prefixes)
        levels = observed_dose_levels(train)
        treated = treated_decisions(train, levels, "target_distance")
        X = extract_features(spec, train.history, train.last_step[treated.row])
        center, spread = mean_and_std(X)
        Z = standardize(X, center, spread).astype(np.float64)
        interactions = fit_treatment_interactions(Z, treated, len(levels))
        # The link has few parameters, so it is fitted on the same decisions.
        labelled = treated_decisions(train, levels, "effective")
        X = extract_features(spec, train.history, train.last_step[labelled.row])
        distance = predict_treated(interactions, standardize(X, center, spread), labelled)
        return DoseGridPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=spec,
            levels=levels,
            link=fit_effectiveness_link(distance, labelled, len(levels)),
            center=center,
            spread=spread,
            interactions=interactions,
        )
