"""The first line of the report, by rule: does personalising gain anything over one option for all.

The rule and the best single option come from the training patients, the gain from others. A gain
is stated only where its 95 % interval lies above 0, and only of patients for whom every option was
a possibility.
"""

from dataclasses import dataclass

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import option_name
from posology.evaluation.effects.overlap import MIN_EFFECTIVE_SAMPLE_SIZE, Overlap, assess_overlap
from posology.evaluation.effects.policy_values import (
    ChosenOption,
    ReferenceOption,
    estimate_gain,
    one_hot_probabilities,
    rule_effective_sample_size,
)
from posology.evaluation.intervals import Difference

GAIN, NO_GAIN, CANNOT_JUDGE = "gain", "none", "unjudged"


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What may be said, and on what it rests."""

    kind: str
    """`gain`, `none` or `unjudged`."""
    sentence: str
    best_single: str
    """The best single option: of the highest mean in the stated population."""
    best_single_index: int
    """Which of the options that is."""
    gain: Difference | None
    """Over it, in the stated population; None where nothing is stated."""
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class Unit:
    """How the outcome's differences are written: times `factor`, then the unit."""

    name: str = ""
    factor: float = 1.0


def decide_verdict(
    nuisance: Nuisance,
    chosen: ChosenOption,
    best_single: ReferenceOption,
    rng: np.random.Generator,
    unit: Unit = Unit(),
) -> Verdict:
    """The verdict on a rule.

    Args:
        nuisance: of patients from whom the rule was not learned.
        chosen: the rule's option for each of them.
        single: the best single option of the training patients, which may differ by fold: gains
            are over it. The one that is named is the best by all patients.
        unit: of the outcome, for the sentence.
    """
    trial = nuisance.trial
    found = assess_overlap(trial, nuisance.propensity)
    best = _best(nuisance, found)
    option = option_name(trial, best)
    asked = {option_name(trial, int(k)) for k in np.unique(np.append(chosen, best_single))}
    refused = [
        o
        for o in found.options_without_overlap
        if o in asked or len(found.options_without_overlap) == trial.n_options
    ]
    if refused:
        sentence = f"cannot be judged: no overlap for {', '.join(refused)}"
        return Verdict(CANNOT_JUDGE, sentence, option, best, None, found)
    speak = rule_effective_sample_size(
        nuisance, one_hot_probabilities(chosen, trial.n_options), found.population
    )
    if speak < MIN_EFFECTIVE_SAMPLE_SIZE:
        sentence = (
            f"cannot be judged: {speak:.0f} effective patients were treated as the rule would"
        )
        return Verdict(CANNOT_JUDGE, sentence, option, best, None, found)
    gained = estimate_gain(nuisance, chosen, best_single, rng, found.population)
    where = _where(found)
    if gained.low > 0:
        value, low, high = (unit.factor * x for x in (gained.value, gained.low, gained.high))
        sentence = f"personalising gains {value:.3g} ({low:.3g}, {high:.3g}) {unit.name}".strip()
        return Verdict(
            GAIN, f"{sentence} over the best single option, {option}{where}", option, best, gained,
            found,
        )  # fmt: skip
    return Verdict(
        NO_GAIN, f"no gain shown: use {option} for all{where}", option, best, gained, found
    )


def _best(nuisance: Nuisance, found: Overlap) -> int:
    """By all patients of the stated population, among options that can be judged."""
    rows = found.population if found.population.any() else ~found.population
    values = nuisance.scores[rows].mean(axis=0)
    silent = np.array([option.lacks_overlap for option in found.options], dtype=bool)
    return int(np.where(silent & ~silent.all(), -np.inf, values).argmax())


def _where(found: Overlap) -> str:
    if not found.excludes_many:
        return ""
    return (
        f"; this holds for the {100 * (1 - found.excluded_share):.0f} % of patients for whom every "
        "option had a chance of at least 5 %, the others cannot be judged"
    )
