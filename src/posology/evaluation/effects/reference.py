"""What options and rules are compared with: the study's control, or treatment as observed."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Column, Trial, option_name
from posology.evaluation.effects.overlap import Overlap
from posology.evaluation.effects.policy_values import USUAL_CARE, ChosenOption, option_scores
from posology.evaluation.effects.shared_noise import shared_noise_factor
from posology.evaluation.intervals import (
    Difference,
    bootstrap_means,
    simultaneous_differences,
    widened_difference,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The comparator of every option and rule."""

    option: int | None = None
    """Index of the study's control; None: treatment as observed."""
    observed: str = USUAL_CARE
    """What treatment as observed is called; in a trial it is the randomised mix of options."""


OBSERVED = Reference()
"""Usual care."""


@dataclass(frozen=True, slots=True)
class ReferenceContrast:
    """One option for all against the reference."""

    option: str
    index: int
    effect: Difference
    """Its interval and p value count all options that are compared with the reference."""


@dataclass(frozen=True, slots=True)
class PairContrast:
    """One option for all against another."""

    first: int
    second: int
    effect: Difference
    """First minus second; its interval and p value count all pairs."""


@dataclass(frozen=True, slots=True)
class ReferenceComparison:
    """Options and a rule against the reference, in the analysis population."""

    contrasts: tuple[ReferenceContrast, ...]
    """Each judged option for all; intervals are simultaneous (max-t)."""
    pairs: tuple[PairContrast, ...]
    """Any two judged options; intervals are simultaneous over all pairs (max-t)."""
    rule: Difference
    """Gain of the rule; of a rule that gives everyone one option, the effect of that option."""

    @property
    def options_differ(self) -> bool:
        """Whether any two judged options are shown to differ."""
        return any(pair.effect.low > 0 or pair.effect.high < 0 for pair in self.pairs)

    def over_reference(self, option: int) -> Difference | None:
        """The effect of an option against the reference; None of the reference itself."""
        return next((c.effect for c in self.contrasts if c.index == option), None)

    def between(self, first: int, second: int) -> Difference | None:
        """First minus second option; None of an option with itself."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair.effect
            if (pair.first, pair.second) == (second, first):
                found = pair.effect
                return Difference(-found.value, -found.high, -found.low, found.p)
        return None


def judged_reference(reference: Reference, is_judged: Bool[np.ndarray, " treatment"]) -> Reference:
    """The reference; treatment as observed where others are judged and the control is not.

    Where none is judged it stays, for the raw data.
    """
    if reference.option is not None and is_judged.any() and not is_judged[reference.option]:
        return Reference(None, reference.observed)
    return reference


def reference_name(trial: Trial, reference: Reference) -> str:
    """Name of the reference in tables and sentences."""
    return reference.observed if reference.option is None else option_name(trial, reference.option)


def reference_outcome(nuisance: Nuisance, reference: Reference) -> Column:
    """Per decision a number whose mean is the reference's value; observed outcomes if observed."""
    if reference.option is None:
        return nuisance.trial.outcome
    return nuisance.scores[:, reference.option]


def compare_with_reference(
    nuisance: Nuisance,
    chosen: ChosenOption,
    reference: Reference,
    overlap: Overlap,
    rng: np.random.Generator,
    is_cross_fitted: bool = False,
) -> ReferenceComparison:
    """Compare each judged option for all, and a rule, with the reference, on the same resamples.

    Of a rule that was learned several times, the mean of the runs is compared.
    """
    population, judged = overlap.population, overlap.judged
    scores, by_reference = nuisance.scores, reference_outcome(nuisance, reference)
    columns = (
        np.column_stack([scores[:, judged], option_scores(scores, chosen)]) - by_reference[:, None]
    )
    columns = columns[population]
    means = columns.mean(axis=0)
    draws = bootstrap_means(columns, nuisance.trial.subject[population], rng)
    factor = 1.0
    if is_cross_fitted:
        runs = [
            (option_scores(scores, run) - by_reference)[population] for run in np.atleast_2d(chosen)
        ]
        factor = shared_noise_factor(columns[:, -1], runs, nuisance.trial.subject[population])
    others = [at for at, k in enumerate(judged) if k != reference.option]
    effects = simultaneous_differences(means[others], draws[:, others])
    combinations = list(itertools.combinations(range(len(judged)), 2))
    first, second = np.array(combinations).T
    between = simultaneous_differences(
        means[first] - means[second], draws[:, first] - draws[:, second]
    )
    compared = ReferenceComparison(
        contrasts=tuple(
            ReferenceContrast(option_name(nuisance.trial, judged[at]), judged[at], effect)
            for at, effect in zip(others, effects, strict=True)
        ),
        pairs=tuple(
            PairContrast(judged[a], judged[b], effect)
            for (a, b), effect in zip(combinations, between, strict=True)
        ),
        rule=widened_difference(float(means[-1]), draws[:, -1], factor),
    )
    given = np.unique(np.atleast_2d(chosen)[:, population])
    of_option = compared.over_reference(int(given[0])) if len(given) == 1 else None
    return compared if of_option is None else replace(compared, rule=of_option)
