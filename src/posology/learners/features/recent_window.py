"""One row per decision from the recent past: last values of codes, and the codes of last steps."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int8, Int32, Int64

from posology.domain.cohort import Cohort
from posology.domain.history import (
    History,
    StepIndex,
    offsets_from_counts,
    ragged_arange,
    subject_rows,
)
from posology.learners.features.treatments_given import earlier_treatments, treatment_of_code

MAX_STANDARD_SCORE = 6.0
"""Standardised values are clipped here (our choice)."""


@dataclass(frozen=True, slots=True, eq=False)
class RecentWindowSpec:
    """The values and codes of a row."""

    value_code: Int32[np.ndarray, " feature"]
    """Vocabulary row of the code in each value column."""
    lag: Int8[np.ndarray, " feature"]
    """0 for the code's last visible value, 1 for the one before, ..."""
    center: Float32[np.ndarray, " feature"]
    scale: Float32[np.ndarray, " feature"]
    flag_code: Int32[np.ndarray, " flag"]
    """Vocabulary rows of the codes that occur without a value."""
    code_steps: int
    """Number of last steps whose codes are used, besides an undated first step."""
    treatment_lags: int = 0
    """Number of last treatments used."""
    treatments: int = 0
    option: Int32[np.ndarray, " code"] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Treatment that each row of the vocabulary records; -1 for none. Empty without lags."""

    @property
    def columns(self) -> int:
        """Number of columns for codes and treatments."""
        flags = len(self.flag_code) * (self.code_steps + 1)
        return flags + self.treatment_lags * self.treatments


@dataclass(frozen=True, slots=True, eq=False)
class RecentRows:
    """Standardised values, 0 where missing; and codes as the column numbers that are 1."""

    values: Float32[np.ndarray, "decision feature"]
    column: Int64[np.ndarray, " present"]
    offsets: Int64[np.ndarray, " decision_plus_one"]
    """Columns of decision i are column[offsets[i]:offsets[i + 1]]."""


def fit_recent_window(
    cohort: Cohort, lags: int, code_steps: int, treatment_lags: int = 0
) -> RecentWindowSpec:
    """Columns, means and standard deviations from training decisions.

    Codes whose value changes within a patient get `lags` columns, the others one; each of the last
    `treatment_lags` treatments has a column an option.
    """
    history, codes = cohort.history, len(cohort.profile.codes)
    has_value = ~np.isnan(history.value)
    flag_code = np.flatnonzero(np.bincount(history.code[~has_value], minlength=codes) > 0)
    value_code, lag = [], []
    for code in np.flatnonzero(np.bincount(history.code[has_value], minlength=codes) > 0):
        for back in range(lags if _changes_within_subject(history, int(code)) else 1):
            value_code.append(code)
            lag.append(back)
    codes_of_columns, lags_of_columns = np.array(value_code, np.int32), np.array(lag, np.int8)
    raw = _raw_values((codes_of_columns, lags_of_columns), history, cohort.last_step)
    center, scale = mean_and_spread(raw)
    return RecentWindowSpec(
        codes_of_columns,
        lags_of_columns,
        center.astype(np.float32),
        np.where(scale > 0, scale, 1.0).astype(np.float32),
        flag_code.astype(np.int32),
        code_steps,
        treatment_lags,
        len(cohort.study.formulary.treatments),
        treatment_of_code(cohort),
    )


def build_recent_rows(spec: RecentWindowSpec, history: History, decisions: StepIndex) -> RecentRows:
    """One row per decision, from its visible events only."""
    raw = _raw_values((spec.value_code, spec.lag), history, decisions)
    scores = np.nan_to_num((raw - spec.center) / spec.scale, nan=0.0)
    values = np.clip(scores, -MAX_STANDARD_SCORE, MAX_STANDARD_SCORE).astype(np.float32)
    first = history.step_offsets[subject_rows(history, decisions)]
    owner, place = [], []
    for back in range(spec.code_steps + 1):
        is_static = back == spec.code_steps
        step = first if is_static else decisions - back
        is_used = np.isnan(history.time[first]) if is_static else step >= first
        rows, columns = _codes_in_step(spec, history, step, is_used)
        owner.append(rows)
        place.append(columns + back * len(spec.flag_code))
    if spec.treatment_lags:
        earlier = earlier_treatments(spec.option, history, decisions, spec.treatment_lags)
        rows, back = np.nonzero(earlier >= 0)
        owner.append(rows)
        base = len(spec.flag_code) * (spec.code_steps + 1)
        place.append(base + back * spec.treatments + earlier[rows, back])
    rows, columns = np.concatenate(owner), np.concatenate(place)
    order = np.lexsort((columns, rows))
    starts = offsets_from_counts(np.bincount(rows, minlength=len(decisions)))
    return RecentRows(values, columns[order], starts)


def _codes_in_step(
    spec: RecentWindowSpec,
    history: History,
    step: StepIndex,
    is_used: Bool[np.ndarray, " decision"],
) -> tuple[Int64[np.ndarray, " present"], Int64[np.ndarray, " present"]]:
    """Decision rows, and positions in `flag_code`, of the codes in one step of each decision."""
    rows = np.flatnonzero(is_used)
    starts = history.event_offsets[step[rows]]
    counts = history.event_offsets[step[rows] + 1] - starts
    code = history.code[ragged_arange(starts, counts)]
    owner = np.repeat(rows, counts)
    known = np.isin(code, spec.flag_code)
    return owner[known], np.searchsorted(spec.flag_code, code[known]).astype(np.int64)


def mean_and_spread(
    columns: Float[np.ndarray, "row column"],
) -> tuple[Float64[np.ndarray, " column"], Float64[np.ndarray, " column"]]:
    """Mean and standard deviation of each column's known values; 0 where none is known."""
    known = ~np.isnan(columns)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, columns, 0.0).sum(axis=0) / count
    return center, np.sqrt((np.where(known, columns - center, 0.0) ** 2).sum(axis=0) / count)


def latest_values(
    codes: Int32[np.ndarray, " number"], history: History, decisions: StepIndex
) -> Float32[np.ndarray, "decision number"]:
    """The last visible number of each code at each decision; NaN where there is none."""
    return _raw_values((codes, np.zeros(len(codes), np.int8)), history, decisions)


def _raw_values(
    columns: tuple[Int32[np.ndarray, " feature"], Int8[np.ndarray, " feature"]],
    history: History,
    decisions: StepIndex,
) -> Float32[np.ndarray, "decision feature"]:
    """Values as recorded for columns of (code, lag); NaN where there is none."""
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


def _changes_within_subject(history: History, code: int) -> bool:
    step, value = _values_of_code(history, code, _steps_of_events(history))
    subject = np.searchsorted(history.step_offsets, step, side="right")
    same = subject[1:] == subject[:-1]
    return bool((value[1:] != value[:-1])[same].any())
