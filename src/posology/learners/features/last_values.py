"""The last numbers recorded of each code, as a decision sees them."""

import numpy as np
from jaxtyping import Float, Float32, Float64, Int8, Int32

from posology.domain.history import History, StepIndex, subject_rows

MAX_STANDARD_SCORE = 6.0
"""Standardised values are clipped here (our choice)."""


def latest_values(
    codes: Int32[np.ndarray, " number"], history: History, decisions: StepIndex
) -> Float32[np.ndarray, "decision number"]:
    """The last visible number of each code at each decision; NaN where there is none."""
    return lagged_values((codes, np.zeros(len(codes), np.int8)), history, decisions)


def lagged_values(
    columns: tuple[Int32[np.ndarray, " feature"], Int8[np.ndarray, " feature"]],
    history: History,
    decisions: StepIndex,
) -> Float32[np.ndarray, "decision feature"]:
    """Values as recorded for columns of (code, lag); NaN where there is none.

    Lag 0 is the code's last visible value, 1 the one before, and so on.
    """
    value_code, lag = columns
    raw = np.full((len(decisions), len(value_code)), np.nan, np.float32)
    first = history.step_offsets[subject_rows(history, decisions)]
    step_of = _steps_of_events(history)
    for code in np.unique(value_code):
        step, value = _values_of_code(history, int(code), step_of)
        if not len(step):
            continue
        visible = np.searchsorted(step, decisions, side="right")
        for column in np.flatnonzero(value_code == code):
            event = visible - 1 - int(lag[column])
            is_own = (event >= 0) & (step[np.maximum(event, 0)] >= first)
            raw[is_own, column] = value[event[is_own]]
    return raw


def changes_within_subject(history: History, code: int) -> bool:
    """Whether any patient has two different numbers of the code."""
    step, value = _values_of_code(history, code, _steps_of_events(history))
    subject = np.searchsorted(history.step_offsets, step, side="right")
    same = subject[1:] == subject[:-1]
    return bool((value[1:] != value[:-1])[same].any())


def mean_and_spread(
    columns: Float[np.ndarray, "row column"],
) -> tuple[Float64[np.ndarray, " column"], Float64[np.ndarray, " column"]]:
    """Mean and standard deviation of each column's known values; 0 where none is known."""
    known = ~np.isnan(columns)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, columns, 0.0).sum(axis=0) / count
    return center, np.sqrt((np.where(known, columns - center, 0.0) ** 2).sum(axis=0) / count)


def standard_scores(
    columns: Float[np.ndarray, "row column"],
    center: Float32[np.ndarray, " column"],
    scale: Float32[np.ndarray, " column"],
) -> Float32[np.ndarray, "row column"]:
    """Standardised and clipped; 0 where not known, or where the scale is 0."""
    columns = columns - center
    scaled = np.divide(columns, scale, out=np.zeros_like(columns), where=scale > 0)
    scores = np.nan_to_num(scaled, nan=0.0).clip(-MAX_STANDARD_SCORE, MAX_STANDARD_SCORE)
    return scores.astype(np.float32)


def _values_of_code(
    history: History, code: int, step_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of a code in order of time, and of value within a step."""
    event = np.flatnonzero((history.code == code) & ~np.isnan(history.value))
    step, value = step_of[event], history.value[event]
    order = np.lexsort((value, step))
    return step[order], value[order]


def _steps_of_events(history: History) -> np.ndarray:
    return np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
