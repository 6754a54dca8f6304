"""Support vector regression as a rival on IWPC: a Gaussian kernel, its usual settings tried.

It keeps patients' rows (its support vectors), so it is no part of the package: `kernel` there is
the same kernel without them.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.svm import SVR

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.scaling import mean_and_std
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.learners.outcome_models.design import build_design, join_labels, mean_dose_error
from posology.learners.outcome_models.gradient_boosting import drop_unsplittable_columns
from posology.learners.outcome_models.logistic import LinearPolicy, scale_and_clip
from posology.learners.outcome_models.predictions import dose_from_root, doses_within_ranges

_COSTS, _WIDTHS, _TUBE = (0.5, 1.0, 2.0), (0.1, 0.3), 0.3


@dataclass(frozen=True, eq=False)
class SvrPolicy:
    """The regression's dose, and the classes of the same kernel by logistic regression."""

    classes: LinearPolicy
    spec: FeatureSpec
    center: np.ndarray
    spread: np.ndarray
    model: SVR

    @property
    def formulary(self):  # noqa: D102
        return self.classes.formulary

    @property
    def profile(self):  # noqa: D102
        return self.classes.profile

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> np.ndarray:
        """P(option is effective)."""
        return self.classes.predict_effectiveness(history, decisions, allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> np.ndarray:
        """The most effective allowed option."""
        return self.classes.choice_probabilities(history, decisions, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The square of the regression."""
        X = scale_and_clip(
            extract_features(self.spec, history, decisions), self.center, self.spread
        )
        return doses_within_ranges(dose_from_root(self.model.predict(X)), self.formulary, allowed)


def fit_svr(classes: LinearPolicy, train: Cohort, validation: Cohort) -> SvrPolicy:
    """Cost and width chosen on the validation patients, then fitted on both.

    classes: a fitted `kernel`, which predicts the classes.
    """
    data = drop_unsplittable_columns(build_design(train, validation, ()))
    center, spread = mean_and_std(data.X)
    X, V = scale_and_clip(data.X, center, spread), scale_and_clip(data.X_validation, center, spread)
    known = ~np.isnan(data.labels.dose)
    tried = []
    for cost, width in product(_COSTS, _WIDTHS):
        model = SVR(C=cost, gamma=width / X.shape[1], epsilon=_TUBE)
        model.fit(X[known], np.sqrt(data.labels.dose[known]))
        error = mean_dose_error(dose_from_root(model.predict(V)), data.validation_labels)
        tried.append((error, cost, width))
    _, cost, width = min(tried)
    labels = join_labels(data.labels, data.validation_labels)
    known = ~np.isnan(labels.dose)
    model = SVR(C=cost, gamma=width / X.shape[1], epsilon=_TUBE)
    model.fit(np.vstack([X, V])[known], np.sqrt(labels.dose[known]))
    return SvrPolicy(classes, data.spec, center, spread, model)
