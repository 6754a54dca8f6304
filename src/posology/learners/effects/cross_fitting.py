"""Effects of every patient by models that learned from the others: each patient judges once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.propensity import Propensity
from posology.causal.trial import FOLDS, Matrix, Trial, assign_folds, select_rows
from posology.learners.effects.r_learner import (
    fit_effects,
    fit_linear_effects,
    gate_effects,
    predict_effects,
    preference_scores,
)

Options = Int64[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutEffects:
    """What was said of each patient, by models of the other folds."""

    fold: Int64[np.ndarray, " decision"]
    effects: Matrix
    """Each option's effect over the best single one, before it is asked whether effects vary."""
    chosen: Options
    """By the rule: personal only where effects were shown to vary."""
    best_single: Options
    """The best single option as the other folds had it; where it is forbidden, the next best."""
    linear_choice: Options
    """By lines alone and always personal, to compare with."""
    personal_folds: int
    """In how many folds the rule was personal."""


def estimate_held_out_effects(
    trial: Trial,
    allowed: Bool[np.ndarray, "decision treatment"],
    rng: np.random.Generator,
    on_fold: Callable[[int], None] = lambda fold: None,  # noqa: ARG005
    propensity: Propensity | None = None,
) -> HeldOutEffects:
    """Learn on four folds of subjects, say of the fifth, five times.

    Args:
        allowed: what safety lets the rule choose.
        told: called with the number of each fold, for progress.
        chances: of a trial that knows its own.
    """
    fold = assign_folds(trial, rng)
    said, chosen = np.zeros((len(trial), trial.n_options)), np.zeros(len(trial), np.int64)
    single, personal = np.zeros(len(trial), np.int64), 0
    simple = np.zeros(len(trial), np.int64)
    for f in range(FOLDS):
        on_fold(f + 1)
        rest, here = fold != f, fold == f
        mine = None if propensity is None else _rows(propensity, rest)
        nuisance = fit_nuisance(select_rows(trial, rest), rng, mine)
        free = fit_effects(nuisance, gate=False)
        rule = gate_effects(free, nuisance)
        asked = trial.covariates[here]
        said[here] = predict_effects(free, asked)
        values = nuisance.scores.mean(axis=0)
        single[here] = np.where(allowed[here], values, -np.inf).argmax(axis=1)
        chosen[here] = np.where(allowed[here], preference_scores(rule, asked), -np.inf).argmax(
            axis=1
        )
        lines = fit_linear_effects(nuisance, asked)
        simple[here] = np.where(allowed[here], lines, -np.inf).argmax(axis=1)
        personal += rule.is_personal
    return HeldOutEffects(fold, said, chosen, single, simple, personal)


def _rows(chances: Propensity, keep: Bool[np.ndarray, " decision"]) -> Propensity:
    return Propensity(chances.probability[keep], chances.model, chances.log_loss)
