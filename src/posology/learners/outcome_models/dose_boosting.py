"""Gradient boosting of the target distance on patient, option and dose."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32

from posology.domain.cohort import Cohort
from posology.learners.features.dose_grid import observed_dose_levels
from posology.learners.outcome_models.design import build_design
from posology.learners.outcome_models.dose_grid_policy import (
    DoseGridPolicy,
    append_option_and_dose,
    fit_effectiveness_link,
)
from posology.learners.outcome_models.gradient_boosting import (
    MIN_LEAF_SIZE,
    boost_until_no_gain,
    drop_unsplittable_columns,
    require_trees,
    trees_of_boosting,
)
from posology.learners.outcome_models.target_distance import TreatedDecisions, treated_decisions
from posology.learners.outcome_models.tree_policy import Trees, predict_trees

Columns = Float32[np.ndarray, "_ column"]


@dataclass(frozen=True, slots=True)
class DoseBoostingLearner:
    """The validation decisions choose the number of leaves and when to stop."""

    max_rounds: int = 400
    patience: int = 100
    """Rounds without a lower validation loss before stopping."""
    learning_rate: float = 0.1
    leaf_counts: tuple[int, ...] = (8,)
    """Leaves per tree to try; more take longer than the network does. Our choice."""
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> DoseGridPolicy:
        """Fit the trees, then the link from distance to P(effective)."""
        data = drop_unsplittable_columns(build_design(train, validation, self.excluded_prefixes))
        levels = observed_dose_levels(train)
        treated = treated_decisions(train, levels, "target_distance")
        held_out = treated_decisions(validation, levels, "target_distance")
        trees = self._fit_trees(
            (_columns(data.X, treated, len(levels)), treated),
            (_columns(data.X_validation, held_out, len(levels)), held_out),
        )
        labelled = treated_decisions(train, levels, "effective")
        distance = predict_trees(trees, _columns(data.X, labelled, len(levels)))[:, 0]
        return DoseGridPolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=data.spec,
            levels=levels,
            link=fit_effectiveness_link(distance, labelled, len(levels)),
            trees=trees,
        )

    def _fit_trees(
        self,
        train: tuple[Columns, TreatedDecisions],
        validation: tuple[Columns, TreatedDecisions],
    ) -> Trees:
        from sklearn.ensemble import HistGradientBoostingRegressor

        X, treated = train
        best, best_error = None, np.inf
        for leaves in self.leaf_counts:
            model = HistGradientBoostingRegressor(
                learning_rate=self.learning_rate,
                max_leaf_nodes=leaves,
                early_stopping=False,
                warm_start=True,
                min_samples_leaf=MIN_LEAF_SIZE,
                random_state=self.seed,
            )
            losses = partial(_squared_errors, validation=validation)
            fit_arguments = (X, treated.target, treated.weight)
            stop, error = boost_until_no_gain(
                model, fit_arguments, losses, self.max_rounds, self.patience
            )
            if best is None or error < best_error:
                best, best_error = trees_of_boosting(model, stop, 1), error
        return require_trees(best)


def _squared_errors(model: Any, validation: tuple[Columns, TreatedDecisions]) -> np.ndarray:
    """Mean squared error on the validation decisions after each round."""
    X, held_out = validation
    errors = [
        np.average((distance - held_out.target) ** 2, weights=held_out.weight)
        for distance in model.staged_predict(X)
    ]
    return np.array(errors)


def _columns(
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    treated: TreatedDecisions,
    options: int,
) -> Columns:
    return append_option_and_dose(X[treated.row], treated.treatment, treated.shift, options)
