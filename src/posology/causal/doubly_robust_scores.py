"""Doubly robust scores: for each patient and option, a number whose mean is the option's value.

Augmented inverse propensity weighting (Robins, Rotnitzky and Zhao 1994,
doi:10.1080/01621459.1994.10476818), cross-fitted (Chernozhukov 2018, doi:10.1111/ectj.12097): right
on average where either the propensities or the outcome regressions are right.
"""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.outcome_regression import OutcomeRegression, fit_outcome_regression
from posology.causal.propensity import PROPENSITY_FLOOR, Propensity, fit_propensity
from posology.causal.trial import (
    Column,
    Fold,
    Mask,
    Matrix,
    Trial,
    assign_folds,
    select_rows,
    validate_trial,
)


@dataclass(frozen=True, slots=True, eq=False)
class Nuisance:
    """What effects and values are computed from; each row's models have not seen its subject."""

    trial: Trial
    fold: Fold
    propensity: Propensity
    outcome_regression: OutcomeRegression

    @property
    def scores(self) -> Matrix:
        """Doubly robust, a column an option."""
        return aipw_scores(self.trial, self.outcome_regression.mean, self.propensity.probability)

    @property
    def outcome_residual(self) -> Column:
        """The outcome less what was to be expected before knowing the treatment."""
        usual = (self.propensity.probability * self.outcome_regression.mean).sum(axis=1)
        return self.trial.outcome - usual

    @property
    def treatment_residual(self) -> Matrix:
        """Which option was given, less how probable each was."""
        return np.eye(self.trial.n_options)[self.trial.treatment] - self.propensity.probability


def select_nuisance_rows(nuisance: Nuisance, rows: Mask) -> Nuisance:
    """The same of some rows, whose models may have learned from the others."""
    chances, outcomes = nuisance.propensity, nuisance.outcome_regression
    return Nuisance(
        select_rows(nuisance.trial, rows),
        nuisance.fold[rows],
        replace(chances, probability=chances.probability[rows]),
        replace(
            outcomes,
            mean=outcomes.mean[rows],
            boosted_mean=outcomes.boosted_mean[rows],
            mean_by_fold=outcomes.mean_by_fold[:, rows],
        ),
    )


def fit_nuisance(
    trial: Trial, rng: np.random.Generator, propensity: Propensity | None = None
) -> Nuisance:
    """Cross-fitted propensities (unless they are known) and outcome regressions."""
    fold = assign_folds(validate_trial(trial), rng)
    chances = fit_propensity(trial, fold) if propensity is None else propensity
    return Nuisance(trial, fold, chances, fit_outcome_regression(trial, fold))


def aipw_scores(trial: Trial, mean: Matrix, probability: Matrix) -> Matrix:
    """Regression plus the weighted residual of those who were given the option."""
    chosen = np.eye(trial.n_options)[trial.treatment]
    weight = chosen / np.maximum(probability, PROPENSITY_FLOOR)
    return mean + weight * (trial.outcome[:, None] - mean)
