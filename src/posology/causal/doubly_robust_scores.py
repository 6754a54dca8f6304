"""Doubly robust scores: per patient and option, a number whose mean is the option's value.

Augmented inverse propensity weighting (Robins, Rotnitzky and Zhao 1994,
doi:10.1080/01621459.1994.10476818), cross-fitted (Chernozhukov 2018, doi:10.1111/ectj.12097).
Unbiased if either the propensities or the outcome regressions are correct.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from posology.causal.missing_outcomes import (
    complete_outcomes,
    complete_together,
    with_completed_outcomes,
)
from posology.causal.outcome_regression import (
    OutcomeRegression,
    fit_outcome_regression,
    fit_outcome_regressions,
)
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
    """Cross-fitted nuisance models: those of a row have not seen its subject."""

    trial: Trial
    fold: Fold
    propensity: Propensity
    outcome_regression: OutcomeRegression

    @property
    def scores(self) -> Matrix:
        """Doubly robust scores, one column per option."""
        return aipw_scores(self.trial, self.outcome_regression.mean, self.propensity.probability)

    @property
    def outcome_residual(self) -> Column:
        """Outcome minus its expectation before the treatment is known."""
        expected = (self.propensity.probability * self.outcome_regression.mean).sum(axis=1)
        return self.trial.outcome - expected

    @property
    def treatment_residual(self) -> Matrix:
        """One-hot treatment minus the propensities."""
        return np.eye(self.trial.n_options)[self.trial.treatment] - self.propensity.probability


def select_nuisance_rows(nuisance: Nuisance, rows: Mask) -> Nuisance:
    """Some rows; their models may have been fitted on the other rows."""
    propensity, regression = nuisance.propensity, nuisance.outcome_regression
    return Nuisance(
        select_rows(nuisance.trial, rows),
        nuisance.fold[rows],
        replace(propensity, probability=propensity.probability[rows]),
        replace(
            regression,
            mean=regression.mean[rows],
            boosted_mean=regression.boosted_mean[rows],
            mean_by_fold=regression.mean_by_fold[:, rows],
        ),
    )


def fit_nuisance(
    trial: Trial, rng: np.random.Generator, propensity: Propensity | None = None
) -> Nuisance:
    """Fit propensities (unless they are given) and outcome regressions with cross-fitting.

    Outcomes that the trial's follow-up does not tell are corrected for in the same folds; the
    nuisance's trial holds the corrected ones.
    """
    fold = assign_folds(validate_trial(trial), rng)
    if propensity is None:
        propensity = fit_propensity(trial, fold)
    return fit_nuisance_in_folds(trial, fold, propensity)


def fit_nuisance_in_folds(trial: Trial, fold: Fold, propensity: Propensity) -> Nuisance:
    """Outcome regressions cross-fitted in these folds; a fold may be without decisions."""
    completed = complete_outcomes(trial, fold)
    trial = with_completed_outcomes(trial, fold, completed)
    return Nuisance(trial, fold, propensity, fit_outcome_regression(trial, fold, completed))


def fit_other_outcomes(nuisance: Nuisance, outcomes: Mapping[str, Trial]) -> dict[str, Nuisance]:
    """Nuisance models of other outcomes of the same decisions: its folds and propensities."""
    fold, trials = nuisance.fold, [validate_trial(trial) for trial in outcomes.values()]
    completed = complete_together(trials, fold)
    known = [
        with_completed_outcomes(trial, fold, own)
        for trial, own in zip(trials, completed, strict=True)
    ]
    regressions = fit_outcome_regressions(known, fold, completed)
    return {
        name: Nuisance(trial, fold, nuisance.propensity, regression)
        for name, trial, regression in zip(outcomes, known, regressions, strict=True)
    }


def aipw_scores(trial: Trial, mean: Matrix, probability: Matrix) -> Matrix:
    """Regression plus the weighted residual of the patients who were given the option."""
    treated = np.eye(trial.n_options)[trial.treatment]
    weight = treated / np.maximum(probability, PROPENSITY_FLOOR)
    return mean + weight * (trial.outcome[:, None] - mean)
