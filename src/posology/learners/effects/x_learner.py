"""The X-learner: effects over the most frequent option by boosted trees of imputed effects.

Künzel 2019, doi:10.1073/pnas.1804597116, for several options.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.boosted_trees import distinct_columns, fill_unknown, make_effect_trees
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.nested_nuisance import NestedNuisance
from posology.causal.propensity import PROPENSITY_FLOOR
from posology.causal.tree_values import predict_columns
from posology.causal.trial import FOLDS, Column, Mask, Matrix
from posology.learners.outcome_models.gradient_boosting import trees_of_boosting
from posology.learners.outcome_models.tree_policy import (
    Trees,
    add_trees,
    constant_trees,
    scale_trees,
)

Models = Mapping[int, tuple[tuple[Any, float], ...]]
"""Of each option but the most frequent: two models of its effect, with their weights."""
EveryRule = Float64[np.ndarray, "fold decision treatment"]


def held_out_x_learner(nuisance: Nuisance) -> Matrix:
    """X-learner effects of each fold by trees of the other folds.

    The expectations they use are also of those folds: with this fold's outcomes in them, the stack
    would give the trees too much weight.
    """
    trial, effect = nuisance.trial, np.zeros(nuisance.treatment_residual.shape)
    X = distinct_columns(trial.covariates)
    for f in np.unique(nuisance.fold):
        here, mean = nuisance.fold == f, nuisance.outcome_regression.mean_by_fold[f]
        models = _fit(_Imputing(nuisance, trial.outcome, mean, X), ~here)
        effect[here] = _predict(models, X[here], trial.n_options)
    return effect


def nested_x_learner(
    nested: NestedNuisance,
    on_pair: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> EveryRule:
    """The same for each rule that is judged on one fold; of its own fold's decisions, too.

    Trees that leave out two folds serve the rules of both. The decisions of the fold that a rule is
    judged on get the mean of the four models that have not seen it.
    """
    trial, fold = nested.overall.trial, nested.overall.fold
    effect, X = np.zeros((FOLDS, len(trial), trial.n_options)), distinct_columns(trial.covariates)
    for done, (pair, without) in enumerate(nested.pairs.items()):
        on_pair(done)
        left_out = np.isin(fold, pair)
        models = _fit(_Imputing(nested.overall, without.outcome, without.mean, X), ~left_out)
        found = np.zeros((len(trial), trial.n_options))
        found[left_out] = _predict(models, X[left_out], trial.n_options)
        for judged, other in (pair, pair[::-1]):
            effect[judged, fold == other] = found[fold == other]
            effect[judged, fold == judged] += found[fold == judged] / (FOLDS - 1)
    return effect


def x_learner_trees(nuisance: Nuisance) -> tuple[Trees, ...]:
    """The X-learner of all decisions, as trees per option; constant for the most frequent one."""
    everyone = np.ones(len(nuisance.trial), dtype=bool)
    mean = nuisance.outcome_regression.mean_by_fold.mean(axis=0)
    trial, found = nuisance.trial, []
    models = _fit(_Imputing(nuisance, trial.outcome, mean, trial.covariates), everyone)
    for k in range(trial.n_options):
        trees = [
            scale_trees(trees_of_boosting(model, model.n_iter_, 1), weight)
            for model, weight in models.get(k, ())
        ]
        found.append(add_trees(trees) if trees else constant_trees(np.zeros(1)))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Imputing:
    """What the effect of an option is imputed with: its own outcome, or what was expected."""

    nuisance: Nuisance
    outcome: Column
    mean: Matrix
    columns: Float64[np.ndarray, "decision feature"]
    """What trees split on."""


def _fit(imputing: _Imputing, rows: Mask) -> Models:
    """Two models per option other than the most frequent one.

    For the patients of either option, the effect is their outcome minus the expected outcome of the
    other. The two estimates are averaged, each weighted by the other option's share, since the
    expectation of the larger group is more precise. Shares rather than propensities: measured
    better where options hardly overlap (docs/decisions/effects-stack.md). Patients who could not
    have had the other option (propensity at its floor) are left out: its expectation for them is an
    extrapolation. Options that these decisions hardly have get no model, as they are not judged.
    """
    trial, outcome, mean = imputing.nuisance.trial, imputing.outcome, imputing.mean
    could = imputing.nuisance.propensity.probability > 2 * PROPENSITY_FLOOR
    reference = int(np.bincount(trial.treatment[rows], minlength=trial.n_options).argmax())
    of_reference = rows & (trial.treatment == reference)
    models = {}
    for k in range(trial.n_options):
        of_option = rows & (trial.treatment == k)
        if k == reference or of_option.sum() < FOLDS:
            continue
        share = float(of_option.sum() / (of_option.sum() + of_reference.sum()))
        gain = outcome - mean[:, reference], _where(of_option, could[:, reference])
        gain_of_reference = mean[:, k] - outcome, _where(of_reference, could[:, k])
        models[k] = tuple(
            (_trees(imputing.columns[fitted], target[fitted], len(trial)), weight)
            for (target, fitted), weight in ((gain, 1 - share), (gain_of_reference, share))
        )
    return models


def _trees(columns: Matrix, effect: Column, decisions: int) -> Any:
    return make_effect_trees(decisions).fit(fill_unknown(columns), effect)


def _predict(
    models: Models,
    X: Float64[np.ndarray, "predicted feature"],  # noqa: N803
    options: int,
) -> Float64[np.ndarray, "predicted treatment"]:
    effect = np.zeros((len(X), options))
    for k, each in models.items():
        for model, weight in each:
            effect[:, k] += weight * predict_columns(model, X)
    return effect


def _where(rows: Mask, condition: Bool[np.ndarray, " decision"]) -> Bool[np.ndarray, " decision"]:
    """The rows that fulfil the condition; all of them if none does."""
    return rows & condition if (rows & condition).any() else rows
