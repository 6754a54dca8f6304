"""Conformal sets of options, where it is known afterwards which option was right."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.advice.uncertainty.thresholds import Thresholds, fit_thresholds, thresholds_of

Probability = Float64[np.ndarray, "decision treatment"]
COVERAGE = 0.80
"""Nominal share of patients whose right option is in the set; our choice."""


@dataclass(frozen=True, slots=True)
class OptionSets:
    """An option is in the set if one minus its probability is at most its threshold."""

    coverage: float
    thresholds: Thresholds
    """One a treatment, so that each option is found equally often where it is the right one."""
    patients: int
    """Number of patients that the thresholds are from."""


def fit_option_sets(
    probability: Probability, right: Int64[np.ndarray, " decision"], coverage: float = COVERAGE
) -> OptionSets | None:
    """Label-conditional sets (Vovk and others 2005, section 4.5); None if no right option is known.

    Args:
        probability: that each option is right, for patients not used for fitting.
        right: row of the right option; -1 if unknown.
    """
    known = right >= 0
    if not known.any():
        return None
    probability, right = probability[known], right[known].astype(np.int64)
    scores = 1.0 - probability[np.arange(len(right)), right]
    found = fit_thresholds(scores, right, probability.shape[1], coverage)
    return OptionSets(coverage, found, len(right))


def option_sets(sets: OptionSets, probability: Probability) -> Bool[np.ndarray, "decision option"]:
    """Which options are in each decision's set; never none: then the most probable one.

    A set with an option also has every option that is more probable, which the thresholds alone may
    leave out: it would read as if the less probable one were the better guess. This only adds
    options, so that each is still found as often as the thresholds say, or more often.
    """
    nobody = ((), np.zeros((len(probability), 0), dtype=bool))
    members = (1.0 - probability) <= thresholds_of(sets.thresholds, nobody)
    empty = ~members.any(axis=1)
    members[empty, probability[empty].argmax(axis=1)] = True
    least = np.where(members, probability, np.inf).min(axis=1)
    return members | (probability >= least[:, None])
