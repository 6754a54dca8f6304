"""The verdict, first line of the report: does a personalised rule gain over one option for all.

The rule and the best single option are learned on training patients, the gain is estimated on
others, and the option that the verdict names is the one the gain is measured against. A gain is
stated only if its 95 % interval lies above 0, and only for patients for whom every option has a
propensity of at least 5 %.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Trial, option_name
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
    """The verdict and the estimates behind it."""

    kind: str
    """`gain`, `none` or `unjudged`."""
    sentence: str
    best_single: str
    """Name of the reference of the gain: the best single option of other patients. Where it
    differs between patients, the most frequent; the sentence then names the others too."""
    best_single_index: int
    """Its index among the options."""
    gain: Difference | None
    """Gain over the reference in the analysis population; None if it cannot be judged."""
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit of the outcome's differences: written as the difference times `factor`, then `name`."""

    name: str = ""
    factor: float = 1.0


def decide_verdict(
    nuisance: Nuisance,
    chosen: ChosenOption,
    best_single: ReferenceOption,
    rng: np.random.Generator,
    unit: Unit = Unit(),
) -> Verdict:
    """Decide whether the rule gains, does not gain, or cannot be judged.

    Args:
        nuisance: of patients from whom the rule was not learned.
        chosen: the rule's option for each patient.
        best_single: the best single option of the training patients, which may differ by fold; the
            gain is measured against it, and the sentence names it.
        unit: of the outcome, for the sentence.
    """
    trial = nuisance.trial
    overlap = assess_overlap(trial, nuisance.propensity)
    shares = _reference_shares(best_single, trial.n_options, overlap)
    best = _comparator(nuisance, shares, overlap)
    option = option_name(trial, best)

    def verdict(kind: str, sentence: str, gain: Difference | None = None) -> Verdict:
        return Verdict(kind, sentence, option, best, gain, overlap)

    used = {option_name(trial, int(k)) for k in np.unique(np.append(chosen, best_single))}
    without = overlap.options_without_overlap
    unsupported = [o for o in without if o in used or len(without) == trial.n_options]
    if unsupported:
        return verdict(CANNOT_JUDGE, f"cannot be judged: no overlap for {', '.join(unsupported)}")
    probabilities = one_hot_probabilities(chosen, trial.n_options)
    effective = rule_effective_sample_size(nuisance, probabilities, overlap.population)
    if effective < MIN_EFFECTIVE_SAMPLE_SIZE:
        return verdict(
            CANNOT_JUDGE,
            "cannot be judged: the effective sample size of patients treated as the rule "
            f"recommends is {effective:.0f}",
        )
    gain = estimate_gain(nuisance, chosen, best_single, rng, overlap.population)
    single = option + _other_references(trial, shares)
    population = _population_clause(overlap)
    if gain.low > 0:
        value, low, high = (unit.factor * x for x in (gain.value, gain.low, gain.high))
        gains = f"personalising gains {value:.3g} ({low:.3g}, {high:.3g}) {unit.name}".strip()
        return verdict(GAIN, f"{gains} over the best single option, {single}{population}", gain)
    if single != option:
        no_gain = f"no gain shown over the best single option, {single}{population}"
        return verdict(NO_GAIN, no_gain, gain)
    return verdict(NO_GAIN, f"no gain shown: use {option} for all{population}", gain)


def _reference_shares(
    best_single: ReferenceOption, options: int, overlap: Overlap
) -> Float64[np.ndarray, " treatment"]:
    """Share of the analysis population (of all, where it is empty) with each reference."""
    rows = overlap.population if overlap.population.any() else ~overlap.population
    reference = np.broadcast_to(best_single, len(rows))[rows]
    return np.bincount(reference, minlength=options) / len(reference)


def _comparator(
    nuisance: Nuisance, shares: Float64[np.ndarray, " treatment"], overlap: Overlap
) -> int:
    """The most frequent reference; if that cannot be judged, the best option that can be."""
    lacks = np.array([option.lacks_overlap for option in overlap.options], dtype=bool)
    best = int(shares.argmax())
    if not lacks[best] or lacks.all():
        return best
    values = nuisance.scores[overlap.population].mean(axis=0)
    return int(np.where(lacks, -np.inf, values).argmax())


def _other_references(trial: Trial, shares: Float64[np.ndarray, " treatment"]) -> str:
    """The references other than the most frequent one, in brackets, with their shares."""
    others = [k for k in np.flatnonzero(shares) if k != shares.argmax()]
    named = [f"{option_name(trial, int(k))} for {100 * shares[k]:.0f} %" for k in others]
    return f" ({', '.join(named)} of the patients)" if named else ""


def _population_clause(overlap: Overlap) -> str:
    if not overlap.excludes_many:
        return ""
    included = 100 * (1 - overlap.excluded_share)
    return (
        f"; this holds for the {included:.0f} % of patients for whom every option had a chance of "
        "at least 5 %, the others cannot be judged"
    )
