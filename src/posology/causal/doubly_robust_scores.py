"""Doubly robust scores: for each patient and option, a number whose mean is the option's value.

Augmented inverse propensity weighting (Robins, Rotnitzky and Zhao 1994,
doi:10.1080/01621459.1994.10476818), cross-fitted (Chernozhukov 2018, doi:10.1111/ectj.12097): right
on average where either the propensities or the outcome regressions are right.
"""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.outcome_regression import Outcomes, fit_outcomes
from posology.causal.propensity import FLOOR, Propensity, fit_propensity
from posology.causal.trial import Column, Fold, Keep, Matrix, Trial, checked, folds, select


@dataclass(frozen=True, slots=True, eq=False)
class Nuisance:
    """What effects and values are computed from; each row's models have not seen its subject."""

    trial: Trial
    fold: Fold
    propensity: Propensity
    outcomes: Outcomes

    @property
    def scores(self) -> Matrix:
        """Doubly robust, a column an option."""
        return aipw(self.trial, self.outcomes.mean, self.propensity.probability)

    @property
    def residual(self) -> Column:
        """The outcome less what was to be expected before knowing the treatment."""
        usual = (self.propensity.probability * self.outcomes.mean).sum(axis=1)
        return self.trial.outcome - usual

    @property
    def surprise(self) -> Matrix:
        """Which option was given, less how probable each was."""
        return np.eye(self.trial.options)[self.trial.treatment] - self.propensity.probability


def of_rows(nuisance: Nuisance, keep: Keep) -> Nuisance:
    """The same of some rows, whose models may have learned from the others."""
    chances, outcomes = nuisance.propensity, nuisance.outcomes
    return Nuisance(
        select(nuisance.trial, keep),
        nuisance.fold[keep],
        replace(chances, probability=chances.probability[keep]),
        replace(
            outcomes,
            mean=outcomes.mean[keep],
            boosted=outcomes.boosted[keep],
            by_fold=outcomes.by_fold[:, keep],
        ),
    )


def fit_nuisance(
    trial: Trial, rng: np.random.Generator, propensity: Propensity | None = None
) -> Nuisance:
    """Cross-fitted propensities (unless they are known) and outcome regressions."""
    fold = folds(checked(trial), rng)
    chances = fit_propensity(trial, fold) if propensity is None else propensity
    return Nuisance(trial, fold, chances, fit_outcomes(trial, fold))


def aipw(trial: Trial, mean: Matrix, probability: Matrix) -> Matrix:
    """Regression plus the weighted residual of those who were given the option."""
    chosen = np.eye(trial.options)[trial.treatment]
    weight = chosen / np.maximum(probability, FLOOR)
    return mean + weight * (trial.outcome[:, None] - mean)
