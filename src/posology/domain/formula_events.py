"""Formula results as events: they enter the profile like laboratory values."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from posology.domain.formulas.formula import evaluate_formula
from posology.domain.history import History, offsets_from_counts
from posology.domain.images import insert_without_image
from posology.domain.profile import Profile


def add_formula_events(history: History, profile: Profile) -> History:
    """The history with the result of each formula as an event of the subject's static step.

    A formula is evaluated on the static step only, so that it never depends on later events.
    """
    for formula in profile.formulas:
        static = history.step_offsets[:-1]
        result = evaluate_formula(formula, history, static, profile.codes)
        history = _append_static(history, profile.codes.index(formula.event), result)
    return history


def _append_static(history: History, code: int, value: Float64[np.ndarray, " subject"]) -> History:
    known = ~np.isnan(value)
    position = history.event_offsets[history.step_offsets[:-1] + 1][known]
    counts = np.diff(history.event_offsets)
    counts[history.step_offsets[:-1][known]] += 1
    return replace(
        history,
        code=np.insert(history.code, position, np.int32(code)),
        value=np.insert(history.value, position, value[known].astype(np.float32)),
        event_offsets=offsets_from_counts(counts),
        images=insert_without_image(history.images, position),
    )
