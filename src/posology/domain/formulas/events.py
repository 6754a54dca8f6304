"""What is already known is an event too: a formula's answer enters the profile like a lab value."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from posology.domain.formulas.formula import evaluate_formula
from posology.domain.history import History, offsets_from_counts
from posology.domain.profile import Profile


def add_formula_events(history: History, profile: Profile) -> History:
    """The history with each formula's answer as an event of the subject's static step.

    A formula sees the static step only, so that its answer never depends on what came later.
    """
    for formula in profile.formulas:
        static = history.step_offsets[:-1]
        answer = evaluate_formula(formula, history, static, profile.codes)
        history = _append_static(history, profile.codes.index(formula.event), answer)
    return history


def _append_static(history: History, code: int, value: Float64[np.ndarray, " subject"]) -> History:
    known = ~np.isnan(value)
    at = history.event_offsets[history.step_offsets[:-1] + 1][known]
    counts = np.diff(history.event_offsets)
    counts[history.step_offsets[:-1][known]] += 1
    return replace(
        history,
        code=np.insert(history.code, at, np.int32(code)),
        value=np.insert(history.value, at, value[known].astype(np.float32)),
        event_offsets=offsets_from_counts(counts),
    )
