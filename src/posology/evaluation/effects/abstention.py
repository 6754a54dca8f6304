"""How sure what is said of one patient is, and what is lost or won by not choosing where it is not.

An interval of a patient's effect is of the mean effect of patients alike in what was recorded
(causal/conditional_effects.py). Where no option is surely the better one, "the clinician's choice"
is an answer: the curve says what the rule is worth if so many patients, the least sure first, are
treated as they would have been without it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.conditional_effects import conditional_errors
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Keep, Matrix, name
from posology.evaluation.effects.held_out_rule import Said
from posology.evaluation.effects.policy_values import mean_draws
from posology.evaluation.significance import (
    Difference,
    Interval,
    paired_difference,
    percentile_interval,
)

SURE = 1.959964
"""Standard errors that a 95 % interval reaches to either side."""
SHARES = tuple(i / 10 for i in range(11))
"""Points of the curve."""


@dataclass(frozen=True, slots=True)
class Sure:
    """Of one option against the best single one: of how many patients its interval leaves out 0."""

    option: str
    against: str
    better: float
    worse: float
    width: float
    """Of the interval, its median."""


@dataclass(frozen=True, slots=True)
class Abstained:
    """The rule, but for a share of patients whom clinicians treat as they do."""

    left: float
    """That share; of the curve's points, the least sure first."""
    value: Interval
    over_usual: Difference
    """Beyond leaving everybody to clinicians."""
    over_single: Difference
    """Beyond the best single option for all, as other patients chose it."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """What can be said of single patients; empty of points where nothing may be judged."""

    options: tuple[Sure, ...]
    curve: tuple[Abstained, ...]
    unsure: Abstained
    """Where clinicians choose whenever no option is surely better than the others."""


def abstention(nuisance: Nuisance, said: Said, keep: Keep, rng: np.random.Generator) -> Abstention:
    """Judge what is said of patients who are not the ones it was learned from."""
    single = said.single
    error = conditional_errors(nuisance, said.effect, single, rng)
    effect = said.effect - said.effect[:, [single]]
    trial, options = nuisance.trial, []
    for k in (k for k in said.speaks if k != single):
        low, high = (effect[keep, k] + side * SURE * error[keep, k] for side in (-1, 1))
        width = float(np.median(high - low))
        found = float((low > 0).mean()), float((high < 0).mean()), width
        options.append(Sure(name(trial, k), name(trial, single), *found))
    surety = sureness(effect, error, said)
    rows = np.arange(len(trial))
    follow = nuisance.scores[rows, said.chosen]
    lefts = [_least(surety, keep, share) for share in SHARES] + [surety < SURE]
    columns = [np.where(left, trial.outcome, follow) for left in lefts]
    columns += [trial.outcome, nuisance.scores[rows, said.reference]]
    judged = np.column_stack(columns)[keep]
    draws = mean_draws(judged, trial.subject[keep], rng)
    points = [
        _point(float(left[keep].mean()), judged.mean(axis=0), draws, at)
        for at, left in enumerate(lefts)
    ]
    return Abstention(tuple(options), tuple(points[:-1]), points[-1])


def sureness(effect: Matrix, error: Matrix, said: Said) -> Column:
    """Standard errors by which the chosen option is better: than the best single one, or, if it is
    that one, than the other that comes nearest to it."""
    others = [k for k in said.speaks if k != said.single]
    ahead = np.divide(effect, error, out=np.zeros(effect.shape), where=error > 0)
    nearest = -ahead[:, others].max(axis=1) if others else np.zeros(len(effect))
    chosen = said.chosen
    return np.where(chosen == said.single, nearest, ahead[np.arange(len(chosen)), chosen])


def _least(surety: Column, keep: Keep, share: float) -> Keep:
    """The least sure share of the patients kept; none of the others."""
    rows = np.flatnonzero(keep)
    order = rows[np.argsort(surety[rows], kind="stable")]
    left = np.zeros(len(surety), dtype=bool)
    left[order[: round(share * len(rows))]] = True
    return left


def _point(
    left: float,
    means: Float64[np.ndarray, " rule"],
    draws: Float64[np.ndarray, "replicate rule"],
    at: int,
) -> Abstained:
    return Abstained(
        left,
        percentile_interval(float(means[at]), draws[:, at]),
        paired_difference(float(means[at] - means[-2]), draws[:, at], draws[:, -2]),
        paired_difference(float(means[at] - means[-1]), draws[:, at], draws[:, -1]),
    )
