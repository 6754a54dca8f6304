"""A policy's predictions in the form that dose intervals are fitted on and made from."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from posology.advice.uncertainty.dose_intervals import DoseBand, DosePredictions
from posology.advice.uncertainty.groups import group_members
from posology.domain.history import History, StepIndex
from posology.domain.profile import Profile
from posology.domain.study import Study


def dose_bands(study: Study) -> tuple[DoseBand, ...]:
    """Ranges of the dose classes, where the options are classes of one dose in order; else none."""
    ranges = [t.dose for t in study.formulary.treatments if t.dose is not None]
    if study.outcome.kind != "dose_class" or len(ranges) < len(study.formulary.treatments):
        return ()
    is_ordered = all(below.high <= above.low for below, above in pairwise(ranges))
    return tuple(DoseBand(r.low, r.high, not r.open_high) for r in ranges) if is_ordered else ()


def dose_predictions(
    study: Study,
    profile: Profile,
    decisions: tuple[History, StepIndex],
    dose: Float64[np.ndarray, " decision"],
    effectiveness: Float64[np.ndarray, "decision treatment"],
) -> DosePredictions:
    """Predicted doses with the probability of each band and the study's groups.

    Args:
        decisions: the history, and the last step visible to each decision.
        dose: predicted single dose; NaN where none was given.
        effectiveness: P(option is effective): where options are classes of the dose, of each band.
    """
    groups = group_members(study, profile, *decisions)
    return DosePredictions(dose, effectiveness if dose_bands(study) else None, groups)
