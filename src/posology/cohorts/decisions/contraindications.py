"""Contraindications against the records, as `domain.safety` asks them of a History."""

import numpy as np
from jaxtyping import Bool, Int64

from posology.cohorts.events.stream import EventStream
from posology.cohorts.events.visible import has_visible_code, is_in_range, treatment_codes
from posology.cohorts.events.windows import DecisionTimes
from posology.domain.study import Study


def contraindicated(
    events: EventStream, subject: Int64[np.ndarray, " event"], at: DecisionTimes, study: Study
) -> Bool[np.ndarray, "decision treatment"]:
    """Which options a contraindication forbids at each decision."""
    names, treatments = study.formulary.names, treatment_codes(study)
    out = np.zeros((len(at), len(names)), dtype=bool)
    for rule in study.safety:
        holds = has_visible_code(events, subject, at, rule.visible, treatments)
        for span in rule.ranges:
            holds |= is_in_range(events, subject, at, span, treatments)
        for option in rule.options:
            out[:, names.index(option)] |= holds
    return out
