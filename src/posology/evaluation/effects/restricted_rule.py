"""A rule restricted to the options that can be judged, and whom it treats differently."""

from dataclasses import dataclass

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask
from posology.evaluation.effects.overlap import Overlap
from posology.evaluation.effects.policy_values import ChosenOption, ReferenceOption
from posology.evaluation.off_policy.support import effective_sample_size

MIN_DIFFERING_PATIENTS = 30
"""With fewer patients treated differently no gain is stated; our choice: of simulated rules that
differed for 1 and for 6 patients, the interval of the gain missed the truth."""
MIN_DIFFERING_EFFECTIVE = 10.0
"""Least effective sample size, among the patients treated differently, of those given what the rule
chooses, and of those given the option it is compared with; our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class RestrictedRule:
    """Choices among the options that can be judged."""

    chosen: ChosenOption
    best_single: ChosenOption
    """The best single option of other patients."""
    restricted: Mask
    """Decisions at which the rule would have chosen an option that cannot be judged."""


@dataclass(frozen=True, slots=True)
class DifferentlyTreated:
    """Patients of the analysis population whom a rule treats differently from one option."""

    patients: int
    effective: tuple[float, float]
    """Effective sample sizes of those given the rule's choice, and of those given the option."""

    @property
    def is_enough(self) -> bool:
        """Whether a gain can be stated."""
        return (
            self.patients >= MIN_DIFFERING_PATIENTS
            and min(self.effective) >= MIN_DIFFERING_EFFECTIVE
        )


def restrict_rule(
    nuisance: Nuisance,
    chosen: ChosenOption,
    best_single: ReferenceOption,
    overlap: Overlap,
    unrestricted: ChosenOption | None = None,
) -> RestrictedRule:
    """Replace choices that cannot be judged by the best single option that can.

    A best single option that cannot be judged is replaced by the judged one of the highest mean in
    the analysis population.

    Args:
        nuisance: of the decisions.
        chosen: the rule's choices, or those among the options that can be judged.
        best_single: the best single option of other patients.
        overlap: which options can be judged.
        unrestricted: the rule's choices among all options; None: `chosen`.
    """
    is_judged = overlap.is_judged
    single = np.broadcast_to(best_single, len(chosen)).astype(np.int64)
    if not is_judged.any():
        return RestrictedRule(chosen, single, np.zeros(len(chosen), dtype=bool))
    values = nuisance.scores[overlap.population].mean(axis=0)
    single = np.where(is_judged[single], single, np.where(is_judged, values, -np.inf).argmax())
    restricted = ~is_judged[chosen if unrestricted is None else unrestricted]
    return RestrictedRule(np.where(is_judged[chosen], chosen, single), single, restricted)


def is_enough_against(
    nuisance: Nuisance, chosen: ChosenOption, control: int | None, population: Mask
) -> bool:
    """Whether a gain over the control can be stated; always over treatment as observed (None)."""
    if control is None:
        return True
    differing = count_differently_treated(nuisance, chosen, control, population)
    return differing.is_enough or not differing.patients


def count_differently_treated(
    nuisance: Nuisance, chosen: ChosenOption, comparator: ReferenceOption, population: Mask
) -> DifferentlyTreated:
    """Count the patients for whom the choices differ, and how many were given either.

    Of a rule that was learned several times, the mean of the runs; a patient whom one run treats
    differently counts.
    """
    runs = np.atleast_2d(chosen)
    found = [
        _count_of_run(nuisance, run, other, population)
        for run, other in zip(runs, np.broadcast_to(comparator, runs.shape), strict=True)
    ]
    first, second = np.mean([each.effective for each in found], axis=0).tolist()
    patients = int(np.ceil(np.mean([each.patients for each in found])))
    return DifferentlyTreated(patients, (first, second))


def _count_of_run(
    nuisance: Nuisance, chosen: ChosenOption, other: ChosenOption, population: Mask
) -> DifferentlyTreated:
    trial, differs = nuisance.trial, population & (chosen != other)
    sizes = []
    for option in (chosen, other):
        given = np.flatnonzero(differs & (trial.treatment == option))
        propensity = nuisance.propensity.probability[given, option[given]]
        sizes.append(effective_sample_size(1 / propensity, trial.subject[given]))
    patients = len(np.unique(trial.subject[differs]))
    return DifferentlyTreated(patients, (sizes[0], sizes[1]))
