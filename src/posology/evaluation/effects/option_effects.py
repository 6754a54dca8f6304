"""Average effect of each option, and how strong a confounder would have to be to explain it away.

In a randomised trial nothing confounds the treatment given, so that strength is not computed.
"""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column
from posology.evaluation.effects.policy_values import (
    AverageEffect,
    estimate_average_effects,
    option_scores,
)
from posology.evaluation.effects.sensitivity import (
    approximate_risk_ratio,
    e_value,
    e_value_limit,
    interval_tipping_gamma,
)
from posology.evaluation.effects.verdict import Verdict
from posology.evaluation.intervals import Difference


@dataclass(frozen=True, slots=True)
class ConfounderStrength:
    """How strong an unmeasured confounder must be to explain a difference away."""

    e_value: float
    e_value_limit: float
    """E-value of the interval's limit nearer to no effect; 1 if the interval includes no effect."""
    gamma: float
    """Factor on the odds of treatment at which the interval may include 0; 1 if it does already."""


@dataclass(frozen=True, slots=True)
class OptionEffect:
    """Average effect of an option, and the confounder strength that would explain it away."""

    effect: AverageEffect
    confounder_strength: ConfounderStrength | None
    """None in a randomised trial."""


@dataclass(frozen=True, slots=True)
class OutcomeKind:
    """How differences of the outcome are read."""

    is_binary: bool
    """Whether the outcome is a probability, so that risk ratios and numbers needed are defined."""
    is_randomised: bool
    """Whether treatment was randomised, so that nothing confounds it."""


def estimate_option_effects(
    nuisance: Nuisance, verdict: Verdict, kind: OutcomeKind, rng: np.random.Generator
) -> tuple[OptionEffect, ...]:
    """Average effect of each judged option against the comparator, in the analysis population.

    The comparator is the study's control; without one it is the best single option, and intervals
    hold for every pair of options. Where the verdict states the same difference, it is that one.
    """
    overlap, comparator = verdict.overlap, verdict.comparator
    trial, population = nuisance.trial, overlap.population
    if comparator not in overlap.judged:
        return ()
    baseline = float(nuisance.scores[population, comparator].mean())
    is_selected = verdict.reference.option is None
    effects = estimate_average_effects(
        nuisance, comparator, rng, population, is_selected, overlap.judged
    )
    rows = []
    others = [k for k in overlap.judged if k != comparator]
    for k, estimated in zip(others, effects, strict=True):
        stated = _stated(verdict, k)
        effect = estimated if stated is None else replace(estimated, effect=stated)
        strength = None
        if not kind.is_randomised:
            better, worse = (k, comparator) if effect.effect.value > 0 else (comparator, k)
            for_all = np.full(len(trial), better, np.int64)
            gamma = interval_tipping_gamma(nuisance, for_all, worse, effect.effect, rng, population)
            strength = _confounder_strength(effect.effect, baseline, kind, trial.outcome, gamma)
        rows.append(OptionEffect(effect, strength))
    return tuple(rows)


def _stated(verdict: Verdict, option: int) -> Difference | None:
    """The verdict's difference of an option from the comparator."""
    against = verdict.against_reference
    if against is None:
        return None
    if verdict.reference.option is None:
        return against.between(option, verdict.comparator)
    return against.over_reference(option)


def assess_rule_confounding(
    nuisance: Nuisance, verdict: Verdict, kind: OutcomeKind, rng: np.random.Generator
) -> ConfounderStrength | None:
    """What would explain the rule's gain away; None in a trial, or where no gain is stated."""
    if verdict.gain is None or kind.is_randomised:
        return None
    chosen, single = verdict.chosen_by_run, verdict.best_single_by_run
    population = verdict.overlap.population
    baseline = float(option_scores(nuisance.scores, single)[population].mean())
    gamma = interval_tipping_gamma(nuisance, chosen, single, verdict.gain, rng, population)
    return _confounder_strength(verdict.gain, baseline, kind, nuisance.trial.outcome, gamma)


def _confounder_strength(
    difference: Difference, baseline: float, kind: OutcomeKind, outcome: Column, gamma: float
) -> ConfounderStrength:
    """E-values of a difference from the mean outcome `baseline`."""
    differences = (difference.value, difference.low, difference.high)
    if kind.is_binary:
        value, low, high = (max((baseline + d) / max(baseline, 1e-3), 1e-3) for d in differences)
    else:
        value, low, high = (approximate_risk_ratio(d, float(outcome.std())) for d in differences)
    return ConfounderStrength(e_value(value), e_value_limit(low, high), gamma)
