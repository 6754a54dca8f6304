"""Nuisance models for the rules of cross-fitting and for their evaluation, fitted together.

A rule that is evaluated on one fold is learned on the other four, whose nuisance models are
themselves cross-fitted over these four. Leaving out folds j and k is the same for the rule of fold
j and the rule of fold k, so that ten fits serve five rules, and their mean over j evaluates fold k.

Propensities have no outcome in them and are therefore the same for all rules: each decision's are
fitted on the other four folds, also on the one that a rule is judged on. The score of a decision is
its expectation plus a residual that nothing of the rule has seen: which treatments others were
given cannot make up an outcome.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance, select_nuisance_rows
from posology.causal.missing_outcomes import complete_nested_outcomes, with_completed_outcomes
from posology.causal.outcome_regression import (
    OutcomeRegression,
    PairOutcomes,
    fit_nested_regressions,
)
from posology.causal.propensity import Propensity, fit_chosen_propensity
from posology.causal.trial import FOLDS, Fold, Trial, validate_trial

PAIRS = FOLDS * (FOLDS - 1) // 2
"""Fits of each kind of model."""


@dataclass(frozen=True, slots=True, eq=False)
class NestedNuisance:
    """Nuisance models of every decision, and those fitted without each fold."""

    overall: Nuisance
    """Each decision's models are fitted on the other folds: for evaluation."""
    without: tuple[Nuisance, ...]
    """Per fold: the decisions of the other folds, with outcome models fitted on these only: for
    learning. Changing any outcome of the fold changes nothing in it."""
    pairs: Mapping[tuple[int, int], PairOutcomes]
    """Per two folds, the smaller first: nothing in it depends on an outcome of either."""


def fit_nested_nuisance(
    trial: Trial,
    fold: Fold,
    propensity: Propensity | None = None,
    on_pair: Callable[[str, int], None] = lambda what, done: None,  # noqa: ARG005
) -> NestedNuisance:
    """Fit propensities (unless they are given), and outcome regressions for every left-out fold.

    Args:
        on_pair: called with what is fitted and how many of PAIRS are done, for progress.
    """
    validate_trial(trial)
    if propensity is None:
        propensity = fit_chosen_propensity(
            trial, fold, lambda done: on_pair("propensities", done * PAIRS // FOLDS)
        )
    completed = complete_nested_outcomes(trial, fold, partial(on_pair, "unknown outcomes"))
    regressions, pairs = fit_nested_regressions(
        trial, fold, completed, partial(on_pair, "outcome regressions")
    )
    rows = np.arange(len(trial))
    without = []
    for k in range(FOLDS):
        own = with_completed_outcomes(trial, fold, None if completed is None else completed[k])
        nuisance = Nuisance(own, fold, propensity, regressions[k])
        without.append(select_nuisance_rows(nuisance, fold != k))
    if completed is not None:
        judged = np.stack([each.outcome for each in completed])[fold, fold, rows]
        trial = replace(trial, outcome=judged, follow_up=None)
    overall = Nuisance(trial, fold, propensity, _each_left_out(regressions, fold))
    return NestedNuisance(overall, tuple(without), pairs)


def _each_left_out(regressions: tuple[OutcomeRegression, ...], fold: Fold) -> OutcomeRegression:
    """The regression without each decision's own fold."""
    rows = np.arange(len(fold))
    mean = np.stack([r.mean for r in regressions])
    boosted = np.stack([r.boosted_mean for r in regressions])
    weights = np.mean([r.stacking_weights for r in regressions], axis=0)
    return OutcomeRegression(
        mean[fold, rows], boosted[fold, rows], (float(weights[0]), float(weights[1])), mean
    )
